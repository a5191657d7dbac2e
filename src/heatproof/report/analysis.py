"""The statistics of a run: for each metric, every method's mean score, its rank, and its tests against the best and against chance.

Two families of tests belong to each model and metric: all comparisons with the best method, and all comparisons with the control
that stands for chance. Holm's procedure corrects each family by itself. If a run tests its comparisons several times so that it
can stop early, each such occasion is a look: every p value is also multiplied by the number of planned looks, and the intervals
are widened so that they hold at all looks at once (see `stats.sequential`). The best method is selected on the images on which it
is then tested, so a tie with it is a weaker statement than a difference. Controls are not ranked: a control cannot be the best
method, but it can tie with the best method, and the page then reports the tie.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

import numpy as np

from heatproof.core.records import Direction
from heatproof.report.score_matrix import Floats, ModelScores, ScoreMatrix
from heatproof.stats import (
    ALPHA,
    Comparison,
    Concordance,
    ErrorSources,
    compare_each,
    error_sources,
    fewest_images,
    holm,
    images_needed,
    kendall_w,
    mean_interval,
    rank,
    resampling_weights,
    smallest_p,
    spearman_matrix,
)
from heatproof.store.manifest import MethodEntry

SEED = 0
EQUAL = 1e-9
"""Two means are equal if they differ by less than this, relative to their size: the order of a sum changes them by less."""


class ComparisonVerdict(StrEnum):
    """The conclusion that a corrected test allows about a method and its reference."""

    BETTER = "better"
    WORSE = "worse"
    TIE = "tie"
    UNKNOWN = "not testable"


@dataclass(frozen=True)
class CorrectedComparison:
    """A paired comparison of a method with a reference method on the same images, corrected for multiple testing.

    Attributes:
        verdict: the conclusion at level α.
        gain: the mean paired difference, with its sign chosen so that a positive gain favours the method.
        low: lower end of the interval of the gain.
        high: upper end of the interval of the gain.
        superiority: the share of images on which the method scores better than the reference; an equal score counts one half.
        p: the p value of the sign-flip test, corrected by Holm's procedure and multiplied by the number of looks.
        n: images on which both have a score.
        dropped: the other images of the metric, on which at least one of the two has no score.
        needed: the number of images that would show a difference as large as the observed one with a power of 80 %. It is more than
            the n images that did not show it, and enough that the smallest possible p is significant.
    """

    verdict: ComparisonVerdict
    gain: float
    low: float
    high: float
    superiority: float
    p: float
    n: int
    dropped: int
    needed: float


@dataclass(frozen=True)
class MethodStatistics:
    """The statistics of one method under one metric.

    The rank statistics are NaN for controls, and for methods that have scores on fewer than half of the images.

    Attributes:
        method: the method.
        mean: the mean score over images.
        low: lower end of the interval of the mean.
        high: upper end of the interval of the mean.
        n: images with a score.
        dropped: images without a score.
        sources: the standard error of the mean, and the part of it that comes from random draws.
        first: the share of resamples of the images in which the method ranks first.
        expected_rank: the mean rank over the resamples.
        rank_low: lower end of the interval of the rank.
        rank_high: upper end of the interval of the rank.
        is_best: whether the method has the best mean score of all ranked methods; of several with the same mean, the first one.
        equals_best: whether the method is ranked and its mean equals the best one.
        against_best: the comparison with the best method; None for the best method itself.
        against_chance: the comparison with the control that stands for chance; None for that control itself.
        components: for each further component of the metric, its mean and the ends of its interval.
    """

    method: MethodEntry
    mean: float
    low: float
    high: float
    n: int
    dropped: int
    sources: ErrorSources
    first: float
    expected_rank: float
    rank_low: float
    rank_high: float
    is_best: bool
    equals_best: bool
    against_best: CorrectedComparison | None
    against_chance: CorrectedComparison | None
    components: Mapping[str, tuple[float, float, float]]

    @property
    def leads(self) -> bool:
        """Whether the method is the best, or is not significantly worse than the best."""
        if self.is_best or self.against_best is None:
            return self.is_best
        return self.against_best.verdict in (ComparisonVerdict.TIE, ComparisonVerdict.BETTER)


@dataclass(frozen=True)
class Analysis:
    """The statistics of one metric on one model.

    Attributes:
        matrix: the scores that the statistics summarise.
        rows: the statistics of each method and control, in the order of the manifest.
        best: the statistics of the best method; None if no method could be ranked.
        chance: the statistics of the control that stands for chance; None if that control was not run.
        testable: whether a difference that all images share would be significant after correction.
        concordance: the agreement of the images about the ranking of the methods.
        bands: mean curves, lower ends and upper ends of their intervals, each [methods, points]; None without curves.
        draws: the number of bootstrap resamples.
        looks: the number of planned looks, for which the tests are corrected.
    """

    matrix: ScoreMatrix
    rows: tuple[MethodStatistics, ...]
    best: MethodStatistics | None
    chance: MethodStatistics | None
    testable: bool
    concordance: Concordance
    bands: tuple[Floats, Floats, Floats] | None
    draws: int
    looks: int

    @property
    def methods(self) -> tuple[MethodStatistics, ...]:
        """The statistics of all methods that are no controls."""
        return tuple(row for row in self.rows if not row.method.control)

    @property
    def controls(self) -> tuple[MethodStatistics, ...]:
        """The statistics of the controls, whose maps do not depend on the network."""
        return tuple(row for row in self.rows if row.method.control)

    @property
    def winners(self) -> tuple[MethodStatistics, ...]:
        """The statistics of the best method, and of those with the same mean."""
        return tuple(row for row in self.methods if row.equals_best)

    @property
    def n(self) -> int:
        """The number of images on which at least one method has a score."""
        return int(np.isfinite(self.matrix.values).any(axis=0).sum())


def level_of(looks: int) -> float:
    """The level 1 − α / looks of each interval, so that the intervals of all looks hold together with probability 1 − α."""
    return 1 - ALPHA / looks


def sensible_draws(n: int) -> int:
    """The number of bootstrap resamples for n images: 10,000, and fewer above 2,000 images, but at least 2,000."""
    return int(np.clip(20_000_000 // max(n, 1), 2_000, 10_000))


def analyse(scores: ModelScores, looks: int = 1) -> list[Analysis]:
    """The statistics of every metric of one model, corrected for the number of planned looks.

    Metrics that were measured on the same images share one set of bootstrap resamples.
    """
    weights: dict[tuple[str, ...], Floats] = {}
    analyses = []
    for matrix in scores.matrices:
        digests = tuple(image.digest for image in matrix.images)
        if digests not in weights:
            weights[digests] = resampling_weights(len(digests), sensible_draws(len(digests)), np.random.default_rng(SEED))
        analyses.append(_analyse(matrix, weights[digests], looks))
    return analyses


def metric_agreement(analyses: list[Analysis]) -> tuple[Floats, "np.ndarray[tuple[int, int], np.dtype[np.int64]]"]:
    """Spearman's correlation between each two metrics over all methods that are no controls, and the number of these methods.

    Returns:
        correlations and numbers of methods, each [metrics, metrics].
    """
    keys = list(dict.fromkeys(row.method.key for analysis in analyses for row in analysis.methods))
    means = np.full((len(analyses), len(keys)), np.nan)
    for index, analysis in enumerate(analyses):
        for row in analysis.methods:
            means[index, keys.index(row.method.key)] = row.mean
    return spearman_matrix(means, [analysis.matrix.metric.direction for analysis in analyses])


def _analyse(matrix: ScoreMatrix, weights: Floats, looks: int) -> Analysis:
    sign = -1.0 if matrix.metric.direction == Direction.LOWER else 1.0
    level = level_of(looks)
    interval = mean_interval(matrix.values, weights, level=level)
    m = len(matrix.methods)
    candidates = np.array([not method.control for method in matrix.methods])
    enough = interval.n * 2 >= np.isfinite(matrix.values).any(axis=0).sum()
    ranked = candidates & enough & (interval.n > 0)
    ranking = rank(
        np.where(ranked[:, None], matrix.values, np.nan),
        matrix.metric.direction,
        np.random.default_rng(SEED),
        draws=len(weights),
        level=level,
        weights=weights,
    )
    best = int(np.argmax(np.where(ranked, sign * interval.mean, -np.inf))) if ranked.any() else None
    chance = next((index for index, method in enumerate(matrix.methods) if method.chance and interval.n[index]), None)
    against_best = _corrected_comparisons(matrix.values, best, sign, weights, looks)
    against_chance = _corrected_comparisons(matrix.values, chance, sign, weights, looks)
    parts = {name: mean_interval(values, weights, level=level) for name, values in matrix.components.items()}
    rows = tuple(
        MethodStatistics(
            method=matrix.methods[i],
            mean=float(interval.mean[i]),
            low=float(interval.low[i]),
            high=float(interval.high[i]),
            n=int(interval.n[i]),
            dropped=int(interval.dropped[i]),
            sources=error_sources(matrix.values[i], matrix.errors[i]),
            first=float(ranking.first[i]),
            expected_rank=float(ranking.expected[i]),
            rank_low=float(ranking.low[i]),
            rank_high=float(ranking.high[i]),
            is_best=i == best,
            equals_best=bool(
                best is not None and ranked[i] and np.isclose(interval.mean[i], interval.mean[best], rtol=EQUAL, atol=0)
            ),
            against_best=against_best[i],
            against_chance=against_chance[i],
            components={name: (float(part.mean[i]), float(part.low[i]), float(part.high[i])) for name, part in parts.items()},
        )
        for i in range(m)
    )
    family = max(1, sum(test is not None and test.n > 0 for test in against_best))
    return Analysis(
        matrix=matrix,
        rows=rows,
        best=rows[best] if best is not None else None,
        chance=rows[chance] if chance is not None else None,
        testable=smallest_p(len(matrix.images)) * family * looks < ALPHA,
        concordance=kendall_w(matrix.values[candidates]) if candidates.any() else Concordance(float("nan"), 0, 0, 0),
        bands=_bands(matrix, weights, level),
        draws=len(weights),
        looks=looks,
    )


def _corrected_comparisons(
    values: Floats, against: int | None, sign: float, weights: Floats, looks: int
) -> list[CorrectedComparison | None]:
    """The comparison of every other method with one method, with Holm's correction over all of them."""
    if against is None:
        return [None] * len(values)
    others = np.delete(sign * values, against, axis=0)
    seeded = partial(np.random.default_rng, SEED)
    pairs: list[Comparison | None] = [*compare_each(others, sign * values[against], weights, seeded, level=level_of(looks))]
    pairs.insert(against, None)
    p = holm(np.array([np.nan if pair is None else pair.p for pair in pairs]))
    family = int(np.isfinite(p).sum())
    return [
        None if pair is None else _corrected(pair, min(1.0, looks * float(p[index])), family * looks)
        for index, pair in enumerate(pairs)
    ]


def _corrected(pair: Comparison, p: float, tests: int) -> CorrectedComparison:
    if pair.n < 2 or smallest_p(pair.n) * tests >= ALPHA:
        verdict = ComparisonVerdict.UNKNOWN
    elif p < ALPHA:
        verdict = ComparisonVerdict.BETTER if pair.difference > 0 else ComparisonVerdict.WORSE
    else:
        verdict = ComparisonVerdict.TIE
    return CorrectedComparison(
        verdict=verdict,
        gain=pair.difference,
        low=pair.low,
        high=pair.high,
        superiority=pair.superiority,
        p=p,
        n=pair.n,
        dropped=pair.dropped,
        needed=_needed(pair, verdict, max(tests, 1)),
    )


def _needed(pair: Comparison, verdict: ComparisonVerdict, tests: int) -> float:
    """The images that the difference of a pair needs. Where n images were too few, it is more than n."""
    estimate = images_needed(pair.difference, pair.spread, alpha=ALPHA / tests)
    if verdict in (ComparisonVerdict.BETTER, ComparisonVerdict.WORSE):
        return estimate
    return max(estimate, fewest_images(ALPHA / tests), pair.n + 1) if np.isfinite(estimate) else estimate


def _bands(matrix: ScoreMatrix, weights: Floats, level: float) -> tuple[Floats, Floats, Floats] | None:
    if matrix.curves is None:
        return None
    rows = [mean_interval(np.ascontiguousarray(curve.T), weights, level=level) for curve in matrix.curves]
    return np.stack([r.mean for r in rows]), np.stack([r.low for r in rows]), np.stack([r.high for r in rows])
