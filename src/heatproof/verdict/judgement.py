"""The result of `heatproof.judge`: for each metric whether it can be believed, and the numbers behind it."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heatproof.core.errors import UsageError
from heatproof.core.formatting import comma_list, count, number
from heatproof.core.records import Direction
from heatproof.pictures.matrix import MatrixSheet, draw_matrix
from heatproof.stats import EffectSize, MetricAgreement, effect_size
from heatproof.stats.bootstrap import Floats
from heatproof.store.atomic import check_folder, write_atomically
from heatproof.verdict.evidence import Evidence, agreement_of, weigh
from heatproof.verdict.judgement_page import judgement_page
from heatproof.verdict.panel_scores import PanelScores
from heatproof.verdict.ranged import ranged
from heatproof.verdict.rule import Finding, Standing, find
from heatproof.verdict.text_table import text_table
from heatproof.verdict.truth import TruthAgreement, TruthScores

if TYPE_CHECKING:
    import pyarrow as pa

    from heatproof.pictures.picture import Picture

WIDTH = 100
HEADS = (
    *("metric", "images\nneeded", "passes\na map", "passes\nto decide", "random maps\ncalled different", "τ of noise"),
    *("τ of moved cells", "reliability", "agreement α", "best: d over\nrandom map", "best: d over\nedge map"),
)
VARIED = "least stable\nunder"
_ORDER = list(Standing)


@dataclass(frozen=True, repr=False)
class Judgement:
    """What metrics are worth on one network and its images; the best stands first.

    `print(judgement)` shows a table and a sentence for each metric; `judgement["SRG"]` is the conclusion about one of them.

    Attributes:
        model: the name of the network.
        images: the number of images.
        findings: the conclusion about each metric: its standing, the images that it needs, and the sentence.
        evidence: the numbers about each metric, in the same order.
        agreement: Kendall's τ between the rankings of methods by each two metrics, in the same order, with intervals.
        scores: the scores of the panel that all this rests on, in the same order.
        path: the folder of the runs that were made; the same call continues them.
        truth: how far each metric orders the methods as a metric of known truth does, in the same order; empty if none was named.
        truth_title: what that metric is called.
    """

    model: str
    images: int
    findings: tuple[Finding, ...]
    evidence: tuple[Evidence, ...]
    agreement: MetricAgreement
    scores: tuple[PanelScores, ...]
    path: Path
    truth: tuple[TruthAgreement, ...] = ()
    truth_title: str = ""

    @classmethod
    def of(
        cls, model: str, images: int, scores: Sequence[PanelScores], path: Path, truth: TruthScores | None = None
    ) -> "Judgement":
        """The judgement that the scores of a panel allow, with its metrics in order: by standing, then by images needed."""
        judged = [(find(evidence), evidence, each) for evidence, each in ((weigh(each), each) for each in scores)]
        judged.sort(key=lambda item: (_ORDER.index(item[0].standing), item[0].images))
        findings, evidence, ordered = zip(*judged, strict=True)
        agreement = agreement_of(ordered)
        if truth is None:
            return cls(model, images, findings, evidence, agreement, ordered, path)
        known = tuple(truth.agreement(each.everything, each.direction, len(each.labels)) for each in ordered)
        return cls(model, images, findings, evidence, agreement, ordered, path, known, truth.title)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the metrics, best first."""
        return tuple(each.metric for each in self.evidence)

    @property
    def believed(self) -> tuple[str, ...]:
        """The metrics that can be believed with the images at hand."""
        both = zip(self.findings, self.metrics, strict=True)
        return tuple(metric for finding, metric in both if finding.standing == Standing.BELIEVE)

    def __getitem__(self, metric: str) -> Finding:
        return self.findings[self._index(metric)]

    def power(self, metric: str, a: str, b: str) -> EffectSize:
        """The effect size of one method over another under a metric, and the images that tell them apart with a power of 80 %.

        Args:
            metric: the metric, by its title or name.
            a: the label of a method or control of the panel.
            b: that of another; d is positive if a scores better than b.

        Raises:
            UsageError: There is no such metric or method.
        """
        scores = self.scores[self._index(metric)]
        sign = -1.0 if scores.direction == Direction.LOWER else 1.0
        return effect_size(sign * scores.of(a), sign * scores.of(b))

    def _index(self, metric: str) -> int:
        titled = [index for index, title in enumerate(self.metrics) if title == metric]
        found = titled or [index for index, each in enumerate(self.evidence) if each.name == metric]
        if not found:
            raise UsageError(f"metric: expected one of {comma_list(list(self.metrics), 20)}, got {metric!r}")
        if len(found) > 1:
            several = comma_list([f"“{self.metrics[index]}”" for index in found], 20)
            raise UsageError(f"metric: expected one, got {metric!r}, which {several} are; write one of these titles")
        return found[0]

    def text(self, width: int = WIDTH) -> str:
        """The sentences, the table and the agreement of the metrics, in lines of at most `width` characters."""
        blocks = []
        for name, finding in zip(self._numbered(), self.findings, strict=True):
            lines = textwrap.wrap(f"{name}. {finding.sentence}", width, subsequent_indent="  ", break_on_hyphens=False)
            blocks.append("\n".join(lines))
        blocks.append(text_table(*self._table(), width))
        if len(self.metrics) > 1:
            numbers = range(len(self.metrics))
            rows = [[name, *(_tau(self.agreement, i, j) for j in numbers)] for i, name in enumerate(self._numbered())]
            blocks.append(text_table(["agreement, τ", *(str(number + 1) for number in numbers)], rows, width))
        return "\n\n".join(blocks)

    def picture(self) -> "Picture":
        """How far the metrics agree about the order of the methods and controls: Kendall's τ of each two, with its interval.

        Raises:
            UsageError: There is one metric only.
        """
        if len(self.metrics) < 2:
            raise UsageError(f"picture: expected two metrics or more, whose agreement it shows, got {self.metrics[0]} alone")
        subtitle = f"Kendall’s τ between the orders of the methods and controls on {self.model}, {count(self.images, 'image')}"
        values, low, high = self.agreement.tau, self.agreement.low, self.agreement.high
        return draw_matrix(MatrixSheet("Do the metrics agree?", subtitle, self.metrics, values, low, high))

    def save(self, path: Path | str) -> Path:
        """Write one self-contained page, `.html`, with the sentences, the table and the picture.

        Returns:
            The path.

        Raises:
            UsageError: The suffix is another one, or the folder cannot be written.
        """
        path = Path(path)
        if path.suffix.lower() != ".html":
            raise UsageError(f"{path}: expected the suffix .html, got {path.suffix!r}; to_arrow() gives the numbers as a table")
        title = f"Metrics on {self.model}, {count(self.images, 'image')}"
        rows = zip(self.metrics, self.findings, strict=True)
        findings = [(metric, str(finding.standing), finding.sentence) for metric, finding in rows]
        picture = self.picture() if len(self.metrics) > 1 else None
        check_folder(path.parent)
        write_atomically(path, judgement_page(title, findings, *self._table(), picture).encode())
        return path

    def _numbered(self) -> list[str]:
        return [f"{index + 1} {metric}" for index, metric in enumerate(self.metrics)]

    def _table(self) -> tuple[list[str], list[list[str]]]:
        """The heads and the cells of the table of numbers."""
        varied = any(evidence.stability for evidence in self.evidence)
        rows = [[name, *_cells(*each)] for name, each in zip(self._numbered(), self, strict=True)]
        if varied:
            rows = [[*row, _least_stable(evidence)] for row, evidence in zip(rows, self.evidence, strict=True)]
        heads = [*HEADS, *([VARIED] if varied else [])]
        if self.truth:
            heads += [f"τ with truth,\n{self.truth_title}", "τ with truth,\ncontrols too"]
            rows = [[*row, ranged(a.tau, a.low, a.high), ranged(*a.all_maps)] for row, a in zip(rows, self.truth, strict=True)]
        return heads, rows

    def to_arrow(self) -> "pa.Table":
        """A table with one row for each metric: its standing, its sentence and every number with its interval."""
        import pyarrow as pa

        rows = [_row(self.model, finding, each) for finding, each in self]
        for row, known in zip(rows, self.truth, strict=False):
            row |= {"truth": known.tau, "truth_low": known.low, "truth_high": known.high, "truth_verdict": known.verdict}
        return pa.Table.from_pylist(rows)

    def __iter__(self) -> Iterator[tuple[Finding, Evidence]]:
        return zip(self.findings, self.evidence, strict=True)

    def __repr__(self) -> str:
        return f"Judgement of {self.model} on {count(self.images, 'image')}\n\n{self.text()}"


def _cells(finding: Finding, evidence: Evidence) -> list[str]:
    calibration, over = evidence.calibration, (evidence.over_chance, evidence.over_edges)
    ladders = [evidence.ladders.get(kind) for kind in ("noise", "shuffle")]
    return [
        "not here" if finding.standing == Standing.NOT else f"{finding.images:,.0f}",
        number(evidence.passes, 0) + (f" + {number(evidence.shared, 0)} shared" if evidence.shared else ""),
        "—" if finding.standing == Standing.NOT else number(_passes_to_decide(finding, evidence), 0),
        ranged(calibration.rate, calibration.low, calibration.high, 3),
        *("—" if ladder is None else ranged(ladder.tau, ladder.low, ladder.high) for ladder in ladders),
        ranged(evidence.reliability.value, evidence.reliability.low, evidence.reliability.high),
        ranged(evidence.agreement.alpha, evidence.agreement.low, evidence.agreement.high),
        *(ranged(effect.d, effect.low, effect.high) for effect in over),
    ]


def _passes_to_decide(finding: Finding, evidence: Evidence) -> float:
    """The passes that score the two maps of a comparison on the images that it needs, beside those that compute the maps."""
    return finding.images * (2 * evidence.passes + evidence.shared)


def _least_stable(evidence: Evidence) -> str:
    """The variant under which the order of the methods is least the same."""
    known = {name: each for name, each in evidence.stability.items() if each.tau == each.tau}
    if not known:
        return "—"
    name = min(known, key=lambda name: known[name].tau)
    return f"{name}: {ranged(known[name].tau, known[name].low, known[name].high)}"


def _tau(agreement: MetricAgreement, i: int, j: int) -> str:
    def at(table: Floats) -> float:
        return float(table[i, j])

    return "" if i == j else ranged(at(agreement.tau), at(agreement.low), at(agreement.high))


def _row(model: str, finding: Finding, evidence: Evidence) -> dict[str, Any]:
    row: dict[str, Any] = {
        "model": model,
        "metric": evidence.metric,
        "standing": str(finding.standing),
        "images_needed": finding.images,
        "sentence": finding.sentence,
        "direction": str(evidence.direction),
        "n": evidence.n,
        "passes": evidence.passes,
        "passes_shared": evidence.shared,
        "passes_to_decide": _passes_to_decide(finding, evidence),
        "best": evidence.best,
        "damaged": evidence.damaged,
        "calibration_attained": evidence.calibration.attained,
        "seeds_alike": evidence.calibration.seeds_alike,
        "pairs": evidence.calibration.pairs,
    }
    numbers: dict[str, tuple[float, float, float]] = {
        "calibration": (evidence.calibration.rate, evidence.calibration.low, evidence.calibration.high),
        **{f"ladder_{kind}": (ladder.tau, ladder.low, ladder.high) for kind, ladder in evidence.ladders.items()},
        "reliability": (evidence.reliability.value, evidence.reliability.low, evidence.reliability.high),
        "reliability_over_seeds": (evidence.over_seeds.value, evidence.over_seeds.low, evidence.over_seeds.high),
        "agreement": (evidence.agreement.alpha, evidence.agreement.low, evidence.agreement.high),
    }
    effects = {"best_over_random_map": evidence.over_chance, "best_over_edge_map": evidence.over_edges}
    effects |= {f"{label.lower().replace(' ', '_')}_over_random_map": effect for label, effect in evidence.confounds.items()}
    for name, effect in effects.items():
        numbers[f"d_{name}"] = (effect.d, effect.low, effect.high)
        numbers[f"images_{name}"] = (effect.images, effect.images_low, effect.images_high)
    for name, each in evidence.stability.items():
        numbers[f"stability_{name.replace(' ', '_')}"] = (each.tau, each.low, each.high)
    for name, (value, low, high) in numbers.items():
        row |= {name: value, f"{name}_low": low, f"{name}_high": high}
    return row
