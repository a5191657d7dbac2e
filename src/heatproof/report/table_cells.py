"""The cells of the page's tables: the text, sort key and mark of each statistic. Markup belongs to the template."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from heatproof.core.formatting import (
    DASH,
    count,
    decimals_for,
    in_text,
    interval,
    number,
    p_value,
    percent,
    seconds,
    sentence_case,
    significant,
)
from heatproof.core.records import Direction
from heatproof.report.analysis import Analysis, ComparisonVerdict, CorrectedComparison, MethodStatistics
from heatproof.report.associations import MeasuredAssociation
from heatproof.report.cell_titles import (
    difference_title,
    error_titles,
    first_title,
    gain_title,
    image_title,
    mean_title,
    p_title,
    rank_title,
    tested_title,
    wins_title,
)
from heatproof.report.claims import JudgedClaim, PairResult, PublishedComparison, PublishedNumber
from heatproof.report.names import control_name
from heatproof.report.score_matrix import Floats, ModelScores
from heatproof.report.searches import Search
from heatproof.stats import STATISTICS
from heatproof.store.manifest import MethodEntry

NO_SCORE = "This method has no score, or does not state an expected sum that this metric could test."


@dataclass(frozen=True)
class TableCell:
    """One cell of a table.

    Attributes:
        text: the text of the cell.
        sub: a second line in small print.
        sort: the sort key; cells with an empty key are sorted last.
        mark: `best`, `tie`, `detected` or empty.
        note: a remark below the text.
        title: the sentence that explains the cell, shown when the pointer rests on it or the reader selects it.
    """

    text: str
    sub: str = ""
    sort: str = ""
    mark: str = ""
    note: str = ""
    title: str = ""


@dataclass(frozen=True)
class TableLine:
    """One line of a table: a method and its cells."""

    method: MethodEntry
    cells: tuple[TableCell, ...]


@dataclass(frozen=True)
class ScoreTable:
    """A table of scores, with the lines of the methods separate from those of the controls."""

    methods: tuple[TableLine, ...]
    controls: tuple[TableLine, ...]


def arrow(direction: Direction) -> tuple[str, str]:
    """The sign and the words that state which direction is better."""
    return ("↓", "lower is better") if direction == Direction.LOWER else ("↑", "higher is better")


def summary_table(scores: ModelScores, analyses: Sequence[Analysis]) -> ScoreTable:
    """The table of all methods and metrics, sorted by the first metric.

    Each metric has the mean with its interval. The last two columns are the cost of one map.
    """
    methods = list({row.method.key: row.method for analysis in analyses for row in _best_first(analysis)}.values())
    lookup = [{row.method.key: row for row in analysis.rows} for analysis in analyses]
    lines = []
    for method in methods:
        cells = [_score_cell(analysis, rows.get(method.key)) for analysis, rows in zip(analyses, lookup, strict=True)]
        lines.append(TableLine(method, (*cells, *_cost_cells(scores, method))))
    return _parted(lines)


def comparison_table(analysis: Analysis) -> ScoreTable:
    """The table of one metric: mean, rank, comparison with the best, comparison with chance, standard error and components."""
    decimals = metric_decimals(analysis)
    return _parted([TableLine(row.method, tuple(_comparison_cells(analysis, row, decimals))) for row in _best_first(analysis)])


MOST_IMAGES = 100
"""The most images whose scores the page lists; `tables/scores.csv` has those of all."""


def image_table(analysis: Analysis) -> list[tuple[str, list[TableCell]]]:
    """The table of the scores of each image: one line for each of the first images, one column per method."""
    matrix = analysis.matrix
    decimals = decimals_for(float(np.nanstd(matrix.values)) / 5) if np.isfinite(matrix.values).any() else 3
    return [
        (
            image.name,
            [
                TableCell(number(value, decimals), sort=_key(value), title=image_title(matrix, row, column))
                for row, value in enumerate(matrix.values[:, column])
            ],
        )
        for column, image in enumerate(matrix.images[:MOST_IMAGES])
    ]


def published_table(comparison: PublishedComparison, model: str) -> tuple[list[str], list[tuple[str, list[TableCell]]]]:
    """The heads and the lines of a published table.

    Each metric has the score of this run. If the table has numbers for this network, the published score and the difference follow;
    otherwise, the published scores for every network follow.
    """
    numbers = [number for line in comparison.rows.values() for number in line.values()]
    networks = list(dict.fromkeys(network for number in numbers for network in number.published))
    same = [network for network in networks if network == model.rpartition(":")[2]]
    shown = same or networks
    each = ["this run", *("published" if same else network for network in shown), *(["difference"] if same else [])]
    heads = each if len(comparison.metrics) == 1 else [f"{metric}: {head}" for metric in comparison.metrics for head in each]
    return heads, [
        (label, [cell for metric in comparison.metrics for cell in _published_cells(line[metric], shown, same)])
        for label, line in comparison.rows.items()
    ]


def _published_cells(entry: PublishedNumber, networks: Sequence[str], same: Sequence[str]) -> Iterator[TableCell]:
    spread = interval(entry.low, entry.high, 2) if entry.n >= 2 else "one image" if entry.n else ""
    own = f"The mean score of this run over n = {count(entry.n, 'image')}." if entry.n else "This run has no such score."
    yield TableCell(number(entry.mean, 2), spread, _key(entry.mean), title=own)
    for network in networks:
        value = entry.published.get(network)
        title = f"The published score for {network}." if value is not None else "No score was published."
        yield TableCell(DASH if value is None else number(value, 2), sort="" if value is None else _key(value), title=title)
    for network in same:
        difference = entry.difference(network)
        yield TableCell(number(difference, 2), sort=_key(difference), title="The score of this run minus the published one.")


def claim_table(judged: Sequence[JudgedClaim]) -> list[tuple[JudgedClaim, list[tuple[str, list[TableCell]]]]]:
    """Every claim with one line per pair: the difference with its interval, the p value or the margin, and the finding."""
    return [(claim, [(_pair_label(pair), _pair_cells(pair)) for pair in claim.pairs]) for claim in judged]


def _pair_label(pair: PairResult) -> str:
    return f"{pair.lower} {'≈' if math.isfinite(pair.margin) else '<'} {pair.higher}"


def _pair_cells(pair: PairResult) -> list[TableCell]:
    decimals = decimals_for((pair.high - pair.low) / 2)
    tested = f"± {number(pair.margin, decimals)}" if math.isfinite(pair.margin) else p_value(pair.p) if pair.n else DASH
    spread = interval(pair.low, pair.high, decimals) if pair.n >= 2 else ""
    return [
        TableCell(number(pair.difference, decimals), spread, _key(pair.difference), title=difference_title(pair)),
        TableCell(tested, title=tested_title(pair)),
        TableCell(str(pair.finding)),
    ]


def association_table(association: MeasuredAssociation, level: float) -> tuple[list[str], list[tuple[str, list[TableCell]]]]:
    """The heads and the lines of an association: one line per method, with each statistic and its interval."""
    rows = []
    for label, measured in association.by_method.items():
        cells = []
        for name in STATISTICS:
            value, (low, high) = measured.statistics[name].value, measured.statistics[name].interval(level)
            title = f"{sentence_case(name)} of {association.y} against {association.x}, over n = {count(measured.n, 'image')}."
            cells.append(TableCell(_fixed(value), f"[{_fixed(low)}, {_fixed(high)}]", _key(value), title=title))
        rows.append((label, [*cells, TableCell(str(measured.n), title="The number of images with both metrics.")]))
    return [*STATISTICS, "images"], rows


def _fixed(value: float) -> str:
    """A number with two decimals, without a sign if it rounds to zero."""
    return DASH if math.isnan(value) else f"{value:.2f}".replace("-", "−").replace("−0.00", "0.00")


def selection_bias_sentence(search: Search) -> str:
    """The sentences that state the selection bias of a search."""
    bias, n = search.selection_bias, len(search.traces)
    at = sum(trace.objective for trace in search.traces) / n
    steps = sum(len(trace.values) for trace in search.traces) / n
    decimals = decimals_for((bias.high - bias.low) / 2)
    spread = f" {interval(bias.low, bias.high, decimals)}" if bias.n > 1 else ""
    return (
        f"The search tried {number(steps, 1)} values per image on average. At the optimum, the mean of {search.objective} was "
        f"{number(at, decimals)} during the search and {number(at - bias.difference, decimals)} with new random numbers: "
        f"a selection bias of {_signed(bias.difference, decimals)}{spread}."
    )


def correlation_cells(matrix: Floats, counts: Any) -> list[list[TableCell]]:
    """The cells of a correlation matrix; each states on how many methods it is based."""
    return [
        [
            TableCell(number(float(value), 2), title=f"Rank correlation over {count(int(n), 'method')}.")
            for value, n in zip(values, ns, strict=True)
        ]
        for values, ns in zip(matrix, counts, strict=True)
    ]


def metric_decimals(analysis: Analysis) -> int:
    """The number of decimals for the means of one metric, which shows two digits of the median half-width of the intervals."""
    halves = np.array([(row.high - row.low) / 2 for row in analysis.rows if row.n >= 2])
    halves = halves[np.isfinite(halves) & (halves > 0)]
    return decimals_for(float(np.median(halves))) if halves.size else 3


def pretty_json(value: Any) -> str:
    """Settings as indented JSON, or unchanged if they are text."""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False, sort_keys=False)


def _best_first(analysis: Analysis) -> list[MethodStatistics]:
    sign = 1 if analysis.matrix.metric.direction == Direction.LOWER else -1
    return sorted(analysis.rows, key=lambda row: (not row.n, sign * row.mean if row.n else 0.0))


def _score_cell(analysis: Analysis, row: MethodStatistics | None) -> TableCell:
    if row is None or row.n == 0:
        return TableCell(DASH, title=NO_SCORE)
    decimals = _row_decimals(row, metric_decimals(analysis))
    missing = f"n = {row.n}" if row.dropped else ""
    chance = row.against_chance
    note = (
        "not better than chance"
        if chance is not None and chance.verdict in (ComparisonVerdict.TIE, ComparisonVerdict.WORSE) and not row.method.control
        else ""
    )
    if row.method.control and row.leads:
        note = "as good as the best"
    spread = interval(row.low, row.high, decimals) if row.n >= 2 else "one image"
    sub = " ".join(filter(None, (spread, missing)))
    return TableCell(number(row.mean, decimals), sub, _key(row.mean), _mark(row), note, mean_title(analysis, row, decimals))


def _mark(row: MethodStatistics) -> str:
    """`best` for the best mean, whichever methods share it, and `tie` for a method that cannot be distinguished from the best."""
    return "best" if row.equals_best else "tie" if row.leads and not row.method.control else ""


def _cost_cells(scores: ModelScores, method: MethodEntry) -> tuple[TableCell, TableCell]:
    cost = scores.costs.get(method.key)
    if cost is None:
        return TableCell(DASH), TableCell(DASH)
    forward = cost.forward if method.forward is None else method.forward
    backward = cost.backward if method.backward is None else method.backward
    passes = f"One map takes {forward:,.0f} forward and {backward:,.0f} backward passes of one image through the network."
    timed = f"One map took {seconds(cost.seconds)} on the machine of this run, on average."
    return (
        TableCell(f"{forward:,.0f} / {backward:,.0f}", sort=_key(forward + backward), title=passes),
        TableCell(seconds(cost.seconds), sort=_key(cost.seconds), title=timed),
    )


def _comparison_cells(analysis: Analysis, row: MethodStatistics, usual: int) -> list[TableCell]:
    decimals = _row_decimals(row, usual)
    spread = interval(row.low, row.high, decimals)
    mean = TableCell(number(row.mean, decimals), spread, _key(row.mean), _mark(row), title=mean_title(analysis, row, decimals))
    ranked = math.isfinite(row.expected_rank)
    place = TableCell(
        number(row.expected_rank, 1),
        f"{row.rank_low:.0f}–{row.rank_high:.0f}" if ranked else "",
        _key(row.expected_rank),
        title=rank_title(row),
    )
    first = TableCell(percent(row.first), sort=_key(row.first), title=first_title(row))
    noise = significant(row.sources.monte_carlo) if math.isfinite(row.sources.monte_carlo) else DASH
    total_title, noise_title = error_titles(row)
    meanings = analysis.matrix.metric.components
    parts = [
        TableCell(
            number(mean_, 2), interval(low, high, 2), _key(mean_), title=f"The mean over images of: {meanings.get(name, name)}."
        )
        for name, (mean_, low, high) in row.components.items()
    ]
    best = in_text(analysis.best.method.label) if analysis.best else ""
    chance = control_name(analysis.chance.method.label) if analysis.chance else ""
    total = significant(row.sources.sampling) if math.isfinite(row.sources.sampling) else DASH
    share = percent(row.sources.share) if math.isfinite(row.sources.share) else ""
    return [
        mean,
        place,
        first,
        *_test_cells(row, row.against_best, decimals, best, "This is the best method."),
        *_test_cells(row, row.against_chance, decimals, chance, "This control stands for chance."),
        TableCell(total, sort=_key(row.sources.sampling), title=total_title),
        TableCell(noise, share, _key(row.sources.monte_carlo), title=noise_title),
        *parts,
    ]


def _test_cells(
    row: MethodStatistics, test: CorrectedComparison | None, decimals: int, reference: str, itself: str
) -> list[TableCell]:
    if test is None:
        return [TableCell(DASH, title=itself), TableCell(""), TableCell("")]
    if test.n == 0:
        return [TableCell(DASH, title="No image has both scores."), TableCell(""), TableCell("")]
    return [
        TableCell(
            _signed(test.gain, decimals),
            interval(test.low, test.high, decimals),
            _key(test.gain),
            title=gain_title(row, test, reference, decimals),
        ),
        TableCell(percent(test.superiority), sort=_key(test.superiority), title=wins_title(row, test, reference)),
        TableCell(p_value(test.p), f"{test.verdict.value}\n{_needed(test)}".strip(), _key(test.p), title=p_title(test, reference)),
    ]


def _needed(test: CorrectedComparison) -> str:
    """How many images a difference of this size needs, where these images did not decide."""
    if test.verdict not in (ComparisonVerdict.TIE, ComparisonVerdict.UNKNOWN) or not math.isfinite(test.needed):
        return ""
    return f"n > {test.n} needed" if test.needed <= test.n + 1 else f"n ≈ {number(test.needed, 0)} needed"


def _signed(value: float, decimals: int) -> str:
    text = number(value, decimals)
    return f"+{text}" if value > 0 else text


def _row_decimals(row: MethodStatistics, usual: int) -> int:
    """The decimals of the metric, and up to two more if the method's own interval is much narrower."""
    return max(usual, min(usual + 2, decimals_for((row.high - row.low) / 2))) if row.high > row.low else usual


def _key(value: float) -> str:
    return "" if math.isnan(value) else repr(float(value))


def _parted(lines: Sequence[TableLine]) -> ScoreTable:
    return ScoreTable(
        tuple(line for line in lines if not line.method.control), tuple(line for line in lines if line.method.control)
    )
