"""Published tables beside the run's own numbers, and a verdict on each published claim: whether it holds here.

A claim consists of one or more pairs of methods. An ordered pair is tested like any two methods, on the same images: by the
sign-flip test, with Holm's correction over all pairs of all claims on one network, times the number of looks. The pair holds
if the difference is more than chance and has the claimed sign, fails if it has the other sign, and is undecided otherwise.
Two methods that are claimed to be alike hold if the whole interval of their difference lies within the margin, fail if the
whole interval lies outside, and are undecided otherwise; a level and the method that is claimed to reach it likewise. A
statistic of an association (`report.associations`) is one number for each method: an ordered pair holds if the interval of
the difference, over the same resamples, lies on the claimed side of zero; these intervals are widened for all pairs of all
such claims (Bonferroni). A claim holds if all its pairs hold, fails if one of them fails, and is undecided otherwise. A lack
of evidence is never called a reproduction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from heatproof.report.analysis import SEED, level_of, sensible_draws
from heatproof.report.associations import Related, associations
from heatproof.report.score_matrix import Floats, ModelScores, ScoreMatrix
from heatproof.stats import ALPHA, AssociationEstimate, Comparison, compare, holm, mean_interval, resampling_weights
from heatproof.store.manifest import Manifest
from heatproof.store.published import ClaimEntry, PublishedTable

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


def judge(scores: ModelScores, manifest: Manifest, related: Sequence[Related] | None = None) -> list[Judged]:
    """Every claim of the run, on one network; `related` are its associations, where they are known already."""
    asked = [(claim, _panel(scores, claim.metric, claim.component)) for claim in manifest.claims]
    by_title = {association.title: association for association in (associations(scores, manifest) if related is None else related)}
    family = sum(len([*claim.pairs()]) for claim in manifest.claims if claim.association)
    compared = [
        [
            _related(by_title.get(claim.association), claim, a, b, 1 - ALPHA / family)
            if claim.association
            else _compare(panel, a, b, manifest.looks, claim.least)
            for a, b in claim.pairs()
        ]
        for claim, panel in asked
    ]
    order = [(i, j) for i, claim in enumerate(manifest.claims) if claim.is_tested for j in range(len(compared[i]))]
    raw = [getattr(compared[i][j], "p", float("nan")) for i, j in order]
    p = dict(zip(order, np.minimum(1.0, manifest.looks * holm(np.array(raw))), strict=True)) if order else {}
    return [
        Judged(
            claim.says,
            _measured(claim, panel),
            tuple(
                _pair(lower, higher, compared[i][j], float(p.get((i, j), np.nan)), _allowed(claim, panel, higher))
                for j, (lower, higher) in enumerate(claim.pairs())
            ),
        )
        for i, (claim, panel) in enumerate(asked)
    ]


def _measured(claim: ClaimEntry, panel: ScoreMatrix | None) -> str:
    """The quantity that the claim is about, in words."""
    if claim.association:
        return f"{claim.association}: {claim.statistic}"
    label = claim.metric if panel is None else panel.metric.label
    return f"{label}, {claim.component}" if claim.component else label


def _related(related: Related | None, claim: ClaimEntry, lower: str, higher: str, level: float) -> Comparison | None:
    """Lower − higher of a statistic, with its interval over the resamples."""
    by_method = {} if related is None else {label: each.statistics[claim.statistic] for label, each in related.by_method.items()}
    if claim.least is not None and higher in by_method:
        by_method[lower] = AssociationEstimate(claim.least, np.full_like(by_method[higher].draws, claim.least))
    if related is None or lower not in by_method or higher not in by_method:
        return None
    difference = by_method[lower] - by_method[higher]
    low, high = difference.interval(level)
    n = related.by_method[higher].n
    return Comparison(n, related.by_method[higher].dropped, difference.value, low, high, NAN, NAN, NAN, exact=False)


def beside(scores: ModelScores, manifest: Manifest) -> list[Beside]:
    """Every published table of the run, with our numbers on one network."""
    return [_beside(table, scores, manifest) for table in manifest.tables]


def _beside(table: PublishedTable, scores: ModelScores, manifest: Manifest) -> Beside:
    panels = [
        panel for name in table.metrics or [p.metric.name for p in scores.panels] if (panel := _panel(scores, name)) is not None
    ]
    rows = {
        label: {
            panel.metric.label: _found(panel, label, table.numbers(number, panel.metric.name), manifest.looks) for panel in panels
        }
        for number, label in enumerate(table.methods)
    }
    return Beside(table.title, tuple(panel.metric.label for panel in panels), rows)


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


def _allowed(claim: ClaimEntry, panel: ScoreMatrix | None, label: str) -> tuple[float, float] | None:
    """Between what a difference may lie: the margin of a likeness, anything below a level; None where a test decides."""
    if claim.least is not None or claim.association:
        return float("-inf"), 0.0
    values = None if panel is None or not claim.alike else _values(panel, label)
    margin = NAN if values is None else float(claim.within * abs(np.nanmean(values)))
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
