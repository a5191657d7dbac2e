"""The verdict of a run on the terminal: the answer that the report begins with, and the table of scores."""

import textwrap
from collections.abc import Iterator, Sequence, Set
from typing import TYPE_CHECKING

from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from heatproof.cli.console import HARD_SPACE, out, paragraph
from heatproof.core.formatting import DASH, count

if TYPE_CHECKING:
    from heatproof.report import RunAnalysis
    from heatproof.report.analysis import Analysis
    from heatproof.report.score_matrix import ModelScores
    from heatproof.report.table_cells import TableCell

SHOWN = 6
"""The largest number of metrics of which all are shown; of more, only those that the answer is about."""
SIGNS = {"best": ("*", "best"), "tie": ("=", "tied with the best")}
"""The sign and the word of each mark of a cell."""


def print_verdict(analysis: "RunAnalysis") -> None:
    """Print the answer and the scores of each model of a run."""
    from heatproof.report.headline import MANY, headline, shared_caveats

    many = len(analysis.scores) > MANY
    answers = [headline(*each, analysis.manifest) for each in zip(analysis.scores, analysis.analyses, strict=True)]
    shared = shared_caveats(answers)
    for scores, analyses, answer in zip(analysis.scores, analysis.analyses, answers, strict=True):
        out.print(f"\n{scores.model.label}", style="bold", markup=False)
        paragraph(" ".join((answer.lead, *(() if many else answer.details))))
        _print_caveats([each for each in answer.caveats if each not in shared])
        if not many:
            _print_scores(scores, analyses)
    _print_caveats(shared)
    if many:
        out.print()
        paragraph("The report has the scores of each network.", style="dim")


def _print_caveats(sentences: Sequence[str]) -> None:
    for sentence in sentences:
        out.print()
        paragraph(sentence, style="dim")


def _print_scores(scores: "ModelScores", analyses: Sequence["Analysis"]) -> None:
    """Print the scores of the metrics, in as many tables as the width of the terminal needs."""
    decisive = [item for item in analyses if item.matrix.metric.primary] or list(analyses[:1])
    others = [item for item in analyses if item not in decisive] if len(analyses) <= SHOWN else []
    spread = {item.matrix.metric.title for item in decisive}
    for few in _that_fit(scores, [*decisive, *others], spread):
        out.print()
        out.print(_table(scores, few, spread))
    signs = ", ".join(f"{sign} {word}" for sign, word in SIGNS.values())
    paragraph(f"Means over images, with intervals where the answer rests on them. {signs}. Controls are in italics.", style="dim")
    if len(others) + len(decisive) < len(analyses):
        further = count(len(analyses) - len(others) - len(decisive), "further metric")
        paragraph(f"The report shows {further}.", style="dim")


def _that_fit(scores: "ModelScores", analyses: Sequence["Analysis"], spread: Set[str]) -> Iterator[list["Analysis"]]:
    """The metrics in groups, each of which makes a table that fits."""
    few: list[Analysis] = []
    for analysis in analyses:
        if few and _width(_table(scores, [*few, analysis], spread)) > out.width:
            yield few
            few = []
        few.append(analysis)
    if few:
        yield few


def _width(table: Table) -> int:
    """The width at which nothing of a table is shortened."""
    return Measurement.get(out, out.options.update(max_width=1000), table).maximum


def _table(scores: "ModelScores", analyses: Sequence["Analysis"], spread: Set[str]) -> Table:
    """The methods that have a score, best first, then the controls, with a column for each metric."""
    from heatproof.report.table_cells import arrow, summary_table

    lines = summary_table(scores, analyses)
    result = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)
    result.add_column("method", header_style="dim", no_wrap=True)
    for analysis in analyses:
        metric = analysis.matrix.metric
        title = f"{metric.title}{HARD_SPACE}{arrow(metric.direction)[0]}"
        head = textwrap.fill(title, 24 if metric.title in spread else 14, break_long_words=False)
        result.add_column(head, header_style="dim", no_wrap=True)
    for line in (*lines.methods, *lines.controls):
        cells = line.cells[: len(analyses)]
        if any(cell.text != DASH for cell in cells):
            columns = [_score(cell, analysis.matrix.metric.title in spread) for cell, analysis in zip(cells, analyses, strict=True)]
            label = textwrap.fill(line.method.label, max(24, out.width // 3))
            result.add_row(Text(label, style="italic" if line.method.control else ""), *columns)
    return result


def _score(cell: "TableCell", spread: bool) -> Text:
    text = Text()
    text.append(with_interval(cell) if spread else cell.text, style="bold" if cell.mark == "best" else "")
    text.append(f" {SIGNS[cell.mark][0]}" if cell.mark in SIGNS else "")
    return text


def with_interval(cell: "TableCell") -> str:
    """The text of a cell, and the interval or the number of images that stands below it in the report."""
    return cell.text if cell.sub == "one image" else f"{cell.text} {cell.sub}".strip()
