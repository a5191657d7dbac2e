"""Published tables are compared with the run's own numbers, and each published claim is tested on the images of the run.

A claim consists of one or more pairs. How a pair is decided depends on what it states:

    order        The first method has the lower mean score. The sign-flip test compares the two methods on the same images, with
                 Holm's correction over all pairs of all such claims on one network, times the number of looks. The pair holds if
                 the difference is significant and has the claimed sign, and fails if it is significant with the other sign.
    likeness     The mean scores of two methods are alike. The pair holds if the whole interval of their difference lies within
                 the margin, and fails if the whole interval lies outside.
    level        The mean score of a method is at least a number. The pair holds if the whole interval of the score lies at or
                 above that number, and fails if the whole interval lies below.
    statistic    A statistic of an association (`report.associations`) is one number for each method. Whether an order or a level
                 of it holds is decided by the interval of the difference over shared resamples of the images. Bonferroni's
                 correction widens these intervals for all pairs of all such claims.

In every other case the pair is undecided, or not measured if a number is missing. A claim holds if all its pairs hold, and fails
if one of them fails. A claim that is undecided has not been reproduced.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from heatproof.report.analysis import SEED, level_of, sensible_draws
from heatproof.report.associations import MeasuredAssociation, measured_associations
from heatproof.report.score_matrix import Floats, ModelScores, ScoreMatrix
from heatproof.stats import ALPHA, AssociationEstimate, Comparison, compare, holm, mean_interval, resampling_weights
from heatproof.store.manifest import Manifest
from heatproof.store.published import ClaimEntry, PublishedTable

NAN = float("nan")


class ClaimFinding(StrEnum):
    """The result for a published claim, or for one of its pairs."""

    HOLDS = "holds"
    FAILS = "does not hold"
    UNDECIDED = "undecided"
    MISSING = "not measured"


@dataclass(frozen=True)
class PairResult:
    """The result for one pair of a claim: two methods, or a level and a method.

    Attributes:
        lower: the method, or the level, that is claimed to be lower or alike.
        higher: the method that is claimed to be higher or alike.
        difference: the mean of `lower` − `higher`.
        low: lower end of the interval of the difference.
        high: upper end of the interval of the difference.
        p: the corrected p value; NaN if the interval decides instead of a test.
        margin: the largest difference that counts as alike; NaN unless the claim states a likeness.
        n: the number of images.
        finding: the result for the pair.
    """

    lower: str
    higher: str
    difference: float
    low: float
    high: float
    p: float
    margin: float
    n: int
    finding: ClaimFinding


@dataclass(frozen=True)
class JudgedClaim:
    """A published claim, with the results for its pairs on one network.

    Attributes:
        statement: the claim as the publication makes it, in words.
        metric: the quantity that the claim is about.
        pairs: the result for each pair of the claim.
    """

    statement: str
    metric: str
    pairs: tuple[PairResult, ...]

    @property
    def finding(self) -> ClaimFinding:
        """The result for the claim as a whole."""
        findings = [pair.finding for pair in self.pairs]
        for decisive in (ClaimFinding.FAILS, ClaimFinding.MISSING, ClaimFinding.UNDECIDED):
            if decisive in findings:
                return decisive
        return ClaimFinding.HOLDS if findings else ClaimFinding.MISSING

    @property
    def summary(self) -> str:
        """The result, with the number of pairs that hold if there are several: `holds (4 of 4)`."""
        holding = sum(pair.finding is ClaimFinding.HOLDS for pair in self.pairs)
        return f"{self.finding} ({holding} of {len(self.pairs)})" if len(self.pairs) > 1 else str(self.finding)


@dataclass(frozen=True)
class PublishedNumber:
    """One number of a published table, next to the run's own mean score.

    Attributes:
        mean: the mean score of this run; NaN if it was not measured.
        low: lower end of the interval of the mean.
        high: upper end of the interval of the mean.
        n: the number of images with a score.
        published: the published number for each network; None where the table has no number.
    """

    mean: float
    low: float
    high: float
    n: int
    published: Mapping[str, float | None]

    def difference(self, network: str) -> float:
        """The run's mean score minus the published number for this network; NaN if no number was published for it."""
        published = self.published.get(network)
        return NAN if published is None else self.mean - published


@dataclass(frozen=True)
class PublishedComparison:
    """A published table, with the run's own number next to each of its numbers.

    Attributes:
        title: the title of the table.
        metrics: the labels of the metrics that the run has measured.
        rows: the numbers, by the label of the method and then by the label of the metric.
    """

    title: str
    metrics: tuple[str, ...]
    rows: Mapping[str, Mapping[str, PublishedNumber]]


def judge_claims(
    scores: ModelScores, manifest: Manifest, associations: Iterable[MeasuredAssociation] | None = None
) -> list[JudgedClaim]:
    """The result for every claim of the run on one network.

    Args:
        scores: the scores on the network.
        manifest: the manifest of the run, which holds the claims.
        associations: the associations measured on the network; they are computed if this is None.
    """
    claims = [(claim, _matrix(scores, claim.metric, claim.component)) for claim in manifest.claims]
    if associations is None:
        associations = measured_associations(scores, manifest)
    by_title = {association.title: association for association in associations}
    family = sum(len([*claim.pairs()]) for claim in manifest.claims if claim.association)
    compared = [
        [
            _compare_statistic(by_title.get(claim.association), claim, a, b, 1 - ALPHA / family)
            if claim.association
            else _compare(matrix, a, b, manifest.looks, claim.least)
            for a, b in claim.pairs()
        ]
        for claim, matrix in claims
    ]
    order = [(i, j) for i, claim in enumerate(manifest.claims) if claim.is_tested for j in range(len(compared[i]))]
    raw = [getattr(compared[i][j], "p", float("nan")) for i, j in order]
    p = dict(zip(order, np.minimum(1.0, manifest.looks * holm(np.array(raw))), strict=True)) if order else {}
    return [
        JudgedClaim(
            claim.says,
            _quantity(claim, matrix),
            tuple(
                _pair_result(lower, higher, compared[i][j], float(p.get((i, j), np.nan)), _allowed(claim, matrix, higher))
                for j, (lower, higher) in enumerate(claim.pairs())
            ),
        )
        for i, (claim, matrix) in enumerate(claims)
    ]


def _quantity(claim: ClaimEntry, matrix: ScoreMatrix | None) -> str:
    """The name of the quantity that the claim is about."""
    if claim.association:
        return f"{claim.association}: {claim.statistic}"
    label = claim.metric if matrix is None else matrix.metric.label
    return f"{label}, {claim.component}" if claim.component else label


def _compare_statistic(
    association: MeasuredAssociation | None, claim: ClaimEntry, lower: str, higher: str, level: float
) -> Comparison | None:
    """The difference of a statistic between two methods, with its interval over shared resamples; None if it was not measured."""
    measured = {} if association is None else association.by_method
    by_method = {label: each.statistics[claim.statistic] for label, each in measured.items()}
    if claim.least is not None and higher in by_method:
        by_method[lower] = AssociationEstimate(claim.least, np.full_like(by_method[higher].draws, claim.least))
    if lower not in by_method or higher not in by_method:
        return None
    difference = by_method[lower] - by_method[higher]
    low, high = difference.interval(level)
    n, dropped = measured[higher].n, measured[higher].dropped
    return Comparison(n, dropped, difference.value, low, high, NAN, NAN, NAN, exact=False)


def published_comparisons(scores: ModelScores, manifest: Manifest) -> list[PublishedComparison]:
    """Every published table of the run, with the run's own numbers on one network."""
    return [_published_comparison(table, scores, manifest) for table in manifest.tables]


def _published_comparison(table: PublishedTable, scores: ModelScores, manifest: Manifest) -> PublishedComparison:
    names = table.metrics or [matrix.metric.name for matrix in scores.matrices]
    matrices = [matrix for name in names if (matrix := _matrix(scores, name)) is not None]
    rows = {
        label: {
            matrix.metric.label: _published_number(matrix, label, table.numbers(number, matrix.metric.name), manifest.looks)
            for matrix in matrices
        }
        for number, label in enumerate(table.methods)
    }
    return PublishedComparison(table.title, tuple(matrix.metric.label for matrix in matrices), rows)


def _published_number(matrix: ScoreMatrix, label: str, published: Mapping[str, float | None], looks: int) -> PublishedNumber:
    values = _values(matrix, label)
    if values is None:
        return PublishedNumber(NAN, NAN, NAN, 0, published)
    interval = mean_interval(values, _weights(len(values)), level=level_of(looks))
    return PublishedNumber(float(interval.mean), float(interval.low), float(interval.high), int(interval.n), published)


def _matrix(scores: ModelScores, metric: str, component: str | None = None) -> ScoreMatrix | None:
    """The scores of the metric with this label or name; if a component is given, the values of the component instead."""
    matrix = _metric_matrix(scores, metric)
    if matrix is None or not component:
        return matrix
    return replace(matrix, values=matrix.components[component]) if component in matrix.components else None


def _metric_matrix(scores: ModelScores, metric: str) -> ScoreMatrix | None:
    """The scores of the metric with this label; if there is none, those of the first metric with this name."""
    named = [
        matrix
        for matrix in scores.matrices
        if metric in (matrix.metric.label, matrix.metric.name) or matrix.metric.label.startswith(f"{metric} (")
    ]
    return next((matrix for matrix in named if matrix.metric.label == metric), named[0] if named else None)


def _values(matrix: ScoreMatrix, label: str) -> Floats | None:
    """The scores of one method, [images]; None if the method was not scored."""
    return next((row for method, row in zip(matrix.methods, matrix.values, strict=True) if method.label == label), None)


def _weights(n: int) -> Floats:
    return resampling_weights(n, sensible_draws(n), np.random.default_rng(SEED))


def _compare(matrix: ScoreMatrix | None, lower: str, higher: str, looks: int, level: float | None) -> Comparison | None:
    """The paired comparison of two methods, or of a level and a method; None if one of them has no scores."""
    first, second = (None, None) if matrix is None else (_values(matrix, lower), _values(matrix, higher))
    if level is not None and second is not None:
        first = np.full_like(second, level)
    if first is None or second is None:
        return None
    return compare(first, second, _weights(len(first)), np.random.default_rng(SEED), level=level_of(looks))


def _allowed(claim: ClaimEntry, matrix: ScoreMatrix | None, label: str) -> tuple[float, float] | None:
    """The range in which the difference of a pair must lie if its interval decides the claim; None if a test decides it."""
    if claim.least is not None or claim.association:
        return float("-inf"), 0.0
    values = None if matrix is None or not claim.alike else _values(matrix, label)
    margin = NAN if values is None else float(claim.within * abs(np.nanmean(values)))
    return (-margin, margin) if np.isfinite(margin) else None


def _pair_result(
    lower: str, higher: str, comparison: Comparison | None, p: float, allowed: tuple[float, float] | None
) -> PairResult:
    if comparison is None or comparison.n == 0:
        return PairResult(lower, higher, NAN, NAN, NAN, NAN, NAN, 0, ClaimFinding.MISSING)
    difference, low, high = comparison.difference, comparison.low, comparison.high
    if allowed is not None:
        finding = ClaimFinding.HOLDS if allowed[0] <= low and high <= allowed[1] else ClaimFinding.UNDECIDED
        finding = ClaimFinding.FAILS if low > allowed[1] or high < allowed[0] else finding
    elif p < ALPHA:
        finding = ClaimFinding.HOLDS if difference < 0 else ClaimFinding.FAILS
    else:
        finding = ClaimFinding.UNDECIDED
    margin = allowed[1] if allowed is not None and np.isfinite(allowed[0]) else NAN
    return PairResult(lower, higher, difference, low, high, p, margin, comparison.n, finding)
