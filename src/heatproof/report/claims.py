"""What others found, beside what the run found; and of each claim, whether it holds here.

A claim is one or more pairs of methods. A pair that is said to be ordered is tested as any two methods are, on the same
images: the sign-flip test, Holm-corrected over all pairs of all claims on one network, and multiplied by the looks. It holds if the
difference is more than chance and has the sign that was claimed, does not if it has the other, and is undecided else. Two methods
said to be alike are, if the whole interval of their difference lies within the margin, are not if the whole interval lies outside,
and are undecided else; so with a level and what is said to reach it. A statistic of a relation (`report.relations`) is one number a
method: an order of two holds if the interval of their difference, over the same resamples, lies on the claimed side of zero; such
intervals are widened for all pairs of all such claims (Bonferroni). A claim holds if all its pairs hold, does not if one does
not, and is undecided else. Absence of evidence is never called a reproduction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np

from heatproof.report.analysis import SEED, level_of, sensible_draws
from heatproof.report.associations import Related, relations
from heatproof.report.manifest import RunFacts
from heatproof.report.score_matrix import Floats, ModelScores, ScoreMatrix
from heatproof.stats import ALPHA, AssociationEstimate, Comparison, compare, holm, mean_interval, resampling_weights

NAN = float("nan")


class Finding(StrEnum):
    """What may be said of a claim."""

    HOLDS = "holds"
    FAILS = "does not hold"
    UNDECIDED = "undecided"
    MISSING = "not measured"


@dataclass(frozen=True)
class Pair:
    """Two methods of a claim, or a level and a method: mean(lower − higher) with its interval.

    `p` is corrected, and NaN where no test decides; `margin` is that of a likeness, else NaN.
    """

    lower: str
    higher: str
    difference: float
    low: float
    high: float
    p: float
    margin: float
    n: int
    finding: Finding


@dataclass(frozen=True)
class Judged:
    """A claim and what came of it on one network."""

    says: str
    metric: str
    pairs: tuple[Pair, ...]

    @property
    def finding(self) -> Finding:
        """Of the claim as a whole."""
        found = [pair.finding for pair in self.pairs]
        for decisive in (Finding.FAILS, Finding.MISSING, Finding.UNDECIDED):
            if decisive in found:
                return decisive
        return Finding.HOLDS if found else Finding.MISSING

    @property
    def summary(self) -> str:
        """`holds (4 of 4)`."""
        holding = sum(pair.finding is Finding.HOLDS for pair in self.pairs)
        return f"{self.finding} ({holding} of {len(self.pairs)})" if len(self.pairs) > 1 else str(self.finding)


@dataclass(frozen=True)
class Found:
    """One number of a table: ours with its interval, and theirs, by network."""

    mean: float
    low: float
    high: float
    n: int
    published: Mapping[str, float | None]

    def difference(self, network: str) -> float:
        """Ours minus theirs on the same network; NaN where they have none."""
        theirs = self.published.get(network)
        return float("nan") if theirs is None else self.mean - theirs


@dataclass(frozen=True)
class Beside:
    """A published table, filled with our numbers: `rows[method][metric]`."""

    title: str
    metrics: tuple[str, ...]
    rows: Mapping[str, Mapping[str, Found]]


def judge(scores: ModelScores, facts: RunFacts, related: Sequence[Related] | None = None) -> list[Judged]:
    """Every claim of the run, on one network; `related` are its relations, where they are known already."""
    asked = [(claim, _panel(scores, claim["metric"], claim.get("component"))) for claim in facts.raw.get("claims") or []]
    by_title = {relation.title: relation for relation in (relations(scores, facts) if related is None else related)}
    wide = sum(len(claim["pairs"]) for claim, _ in asked if claim.get("relation"))
    compared = [
        [
            _related(by_title.get(claim["relation"]), claim, a, b, 1 - ALPHA / wide)
            if claim.get("relation")
            else _compare(panel, a, b, facts.looks, claim.get("least"))
            for a, b in claim["pairs"]
        ]
        for claim, panel in asked
    ]
    order = [(i, j) for i, (claim, _) in enumerate(asked) if _is_tested(claim) for j in range(len(claim["pairs"]))]
    raw = [getattr(compared[i][j], "p", float("nan")) for i, j in order]
    p = dict(zip(order, np.minimum(1.0, facts.looks * holm(np.array(raw))), strict=True)) if order else {}
    return [
        Judged(
            claim["says"],
            _measured(claim, panel),
            tuple(
                _pair(lower, higher, compared[i][j], float(p.get((i, j), np.nan)), _allowed(claim, panel, higher))
                for j, (lower, higher) in enumerate(claim["pairs"])
            ),
        )
        for i, (claim, panel) in enumerate(asked)
    ]


def _is_tested(claim: Mapping[str, Any]) -> bool:
    """Whether a test decides it; else the interval does."""
    return not claim["within"] and claim.get("least") is None and not claim.get("relation")


def _measured(claim: Mapping[str, Any], panel: ScoreMatrix | None) -> str:
    """What the claim is of, in words."""
    if claim.get("relation"):
        return f"{claim['relation']}: {claim['statistic']}"
    label = claim["metric"] if panel is None else panel.metric.label
    return f"{label}, {claim['component']}" if claim.get("component") else label


def _related(related: Related | None, claim: Mapping[str, Any], lower: str, higher: str, level: float) -> Comparison | None:
    """Lower − higher of a statistic, with its interval over the resamples."""
    found = {} if related is None else {label: r.statistics[claim["statistic"]] for label, r in related.by_method.items()}
    if claim.get("least") is not None and higher in found:
        found[lower] = AssociationEstimate(claim["least"], np.full_like(found[higher].draws, claim["least"]))
    if related is None or lower not in found or higher not in found:
        return None
    difference = found[lower] - found[higher]
    low, high = difference.interval(level)
    n = related.by_method[higher].n
    return Comparison(n, related.by_method[higher].dropped, difference.value, low, high, NAN, NAN, NAN, exact=False)


def beside(scores: ModelScores, facts: RunFacts) -> list[Beside]:
    """Every published table of the run, with our numbers on one network."""
    return [_beside(table, scores, facts) for table in facts.raw.get("tables") or []]


def _beside(table: Mapping[str, Any], scores: ModelScores, facts: RunFacts) -> Beside:
    wanted = list(dict.fromkeys(metric for numbers in table["published"].values() for metric in numbers))
    panels = [panel for name in wanted or [p.metric.name for p in scores.panels] if (panel := _panel(scores, name)) is not None]
    rows = {
        label: {
            panel.metric.label: _found(panel, label, _published(table, number, panel.metric.name), facts.looks) for panel in panels
        }
        for number, label in enumerate(table["methods"])
    }
    return Beside(table["title"], tuple(panel.metric.label for panel in panels), rows)


def _published(table: Mapping[str, Any], row: int, metric: str) -> dict[str, float | None]:
    return {network: numbers[metric][row] for network, numbers in table["published"].items() if metric in numbers}


def _found(panel: ScoreMatrix, label: str, published: Mapping[str, float | None], looks: int) -> Found:
    values = _values(panel, label)
    if values is None:
        return Found(NAN, NAN, NAN, 0, published)
    interval = mean_interval(values, _weights(len(values)), level=level_of(looks))
    return Found(float(interval.mean), float(interval.low), float(interval.high), int(interval.n), published)


def _panel(scores: ModelScores, metric: str, component: str | None = None) -> ScoreMatrix | None:
    """The metric of that label, else the first of that name; with a component's values in place of its own."""
    panel = _named(scores, metric)
    if panel is None or not component:
        return panel
    return replace(panel, values=panel.components[component]) if component in panel.components else None


def _named(scores: ModelScores, metric: str) -> ScoreMatrix | None:
    named = [panel for panel in scores.panels if metric in (panel.metric.label, panel.metric.name)]
    return next((panel for panel in named if panel.metric.label == metric), named[0] if named else None)


def _values(panel: ScoreMatrix, label: str) -> Floats | None:
    return next((row for method, row in zip(panel.methods, panel.values, strict=True) if method.label == label), None)


def _weights(n: int) -> Floats:
    return resampling_weights(n, sensible_draws(n), np.random.default_rng(SEED))


def _compare(panel: ScoreMatrix | None, lower: str, higher: str, looks: int, level: float | None) -> Comparison | None:
    first, second = (None, None) if panel is None else (_values(panel, lower), _values(panel, higher))
    if level is not None and second is not None:
        first = np.full_like(second, level)
    if first is None or second is None:
        return None
    return compare(first, second, _weights(len(first)), np.random.default_rng(SEED), level=level_of(looks))


def _allowed(claim: Mapping[str, Any], panel: ScoreMatrix | None, label: str) -> tuple[float, float] | None:
    """Between what a difference may lie: the margin of a likeness, anything below a level; None where a test decides."""
    if claim.get("least") is not None or claim.get("relation"):
        return float("-inf"), 0.0
    values = None if panel is None or not claim["within"] else _values(panel, label)
    margin = NAN if values is None else float(claim["within"] * abs(np.nanmean(values)))
    return (-margin, margin) if np.isfinite(margin) else None


def _pair(lower: str, higher: str, found: Comparison | None, p: float, allowed: tuple[float, float] | None) -> Pair:
    if found is None or found.n == 0:
        return Pair(lower, higher, NAN, NAN, NAN, NAN, NAN, 0, Finding.MISSING)
    if allowed is not None:
        finding = Finding.HOLDS if allowed[0] <= found.low and found.high <= allowed[1] else Finding.UNDECIDED
        finding = Finding.FAILS if found.low > allowed[1] or found.high < allowed[0] else finding
    elif p < ALPHA:
        finding = Finding.HOLDS if found.difference < 0 else Finding.FAILS
    else:
        finding = Finding.UNDECIDED
    margin = allowed[1] if allowed is not None and np.isfinite(allowed[0]) else NAN
    return Pair(lower, higher, found.difference, found.low, found.high, p, margin, found.n, finding)
