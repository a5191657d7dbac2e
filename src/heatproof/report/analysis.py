"""Arrays → statistics: what each metric says about each method, against the best and against chance.

Families of tests: within one model and metric, all comparisons with the best are one Holm family, all comparisons with the
reference control another. Where comparisons are looked at several times, p is also multiplied by the number of looks, and
intervals are so wide that they hold at all looks at once (see `stats.sequential`). The best is picked on the same images it is
then tested on, which makes a tie with it a weaker statement than a difference. Controls are ranked apart: they cannot be the best
method, but they can tie with it, and the page says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from heatproof.core.records import Direction
from heatproof.report.score_matrix import Floats, ModelScores, ScoreMatrix
from heatproof.stats import (
    ALPHA,
    Comparison,
    Concordance,
    ErrorSources,
    compare,
    error_sources,
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


class Verdict(StrEnum):
    """What a corrected test allows to say."""

    BETTER = "better"
    WORSE = "worse"
    TIE = "tie"
    UNKNOWN = "not testable"


@dataclass(frozen=True)
class Test:
    """A comparison turned so that more is better: `gain` > 0 favours the row. `p` is corrected by Holm and for looks."""

    verdict: Verdict
    gain: float
    low: float
    high: float
    superiority: float
    p: float
    n: int
    dropped: int
    needed: float


@dataclass(frozen=True)
class Row:
    """One method under one metric. Rank numbers are NaN for controls and for methods scored on fewer than half of the images."""

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
    against_best: Test | None
    against_chance: Test | None
    components: Mapping[str, tuple[float, float, float]]

    @property
    def leads(self) -> bool:
        """Is it the best, or tied with it?"""
        return self.is_best or (self.against_best is not None and self.against_best.verdict in (Verdict.TIE, Verdict.BETTER))


@dataclass(frozen=True)
class Analysis:
    """One metric on one model. `bands` are the mean curves and their intervals, each [m, points]."""

    panel: ScoreMatrix
    rows: tuple[Row, ...]
    best: Row | None
    chance: Row | None
    testable: bool
    """Could the images, were they unanimous, make any difference significant after correction?"""
    concordance: Concordance
    bands: tuple[Floats, Floats, Floats] | None
    draws: int
    looks: int

    @property
    def methods(self) -> tuple[Row, ...]:
        """Rows that are no controls."""
        return tuple(row for row in self.rows if not row.method.control)

    @property
    def controls(self) -> tuple[Row, ...]:
        """Rows that know nothing of the network."""
        return tuple(row for row in self.rows if row.method.control)

    @property
    def n(self) -> int:
        """Images with a score of any method."""
        return int(np.isfinite(self.panel.values).any(axis=0).sum())


def level_of(looks: int) -> float:
    """Level of the intervals of a run whose comparisons are looked at so often: at the end they hold as 1 − α says."""
    return 1 - ALPHA / looks


def sensible_draws(n: int) -> int:
    """Resamples for n images: 10,000, fewer for many images, where the quantiles of a mean need no more."""
    return int(np.clip(20_000_000 // max(n, 1), 2_000, 10_000))


def analyse(scores: ModelScores, looks: int = 1) -> list[Analysis]:
    """Statistics of every metric of one model, on one set of resamples per set of images, corrected for so many planned looks."""
    weights: dict[tuple[str, ...], Floats] = {}
    found = []
    for panel in scores.panels:
        digests = tuple(image.digest for image in panel.images)
        if digests not in weights:
            weights[digests] = resampling_weights(len(digests), sensible_draws(len(digests)), np.random.default_rng(SEED))
        found.append(_analyse(panel, weights[digests], looks))
    return found


def metric_agreement(analyses: list[Analysis]) -> tuple[Floats, "np.ndarray[tuple[int, int], np.dtype[np.int64]]"]:
    """Spearman correlation between metrics over the methods that are no controls, and how many methods are behind each number."""
    keys = list(dict.fromkeys(row.method.key for analysis in analyses for row in analysis.methods))
    means = np.full((len(analyses), len(keys)), np.nan)
    for index, analysis in enumerate(analyses):
        for row in analysis.methods:
            means[index, keys.index(row.method.key)] = row.mean
    return spearman_matrix(means, [analysis.panel.metric.direction for analysis in analyses])


def _analyse(panel: ScoreMatrix, weights: Floats, looks: int) -> Analysis:
    sign = -1.0 if panel.metric.direction == Direction.LOWER else 1.0
    level = level_of(looks)
    interval = mean_interval(panel.values, weights, level=level)
    m = len(panel.methods)
    candidates = np.array([not method.control for method in panel.methods])
    enough = interval.n * 2 >= np.isfinite(panel.values).any(axis=0).sum()
    ranked = candidates & enough & (interval.n > 0)
    ranking = rank(
        np.where(ranked[:, None], panel.values, np.nan),
        panel.metric.direction,
        np.random.default_rng(SEED),
        draws=len(weights),
        level=level,
    )
    best = int(np.argmax(np.where(ranked, sign * interval.mean, -np.inf))) if ranked.any() else None
    chance = next((index for index, method in enumerate(panel.methods) if method.chance and interval.n[index]), None)
    against_best = _tests(panel.values, best, sign, weights, looks)
    against_chance = _tests(panel.values, chance, sign, weights, looks)
    parts = {name: mean_interval(values, weights, level=level) for name, values in panel.components.items()}
    rows = tuple(
        Row(
            method=panel.methods[i],
            mean=float(interval.mean[i]),
            low=float(interval.low[i]),
            high=float(interval.high[i]),
            n=int(interval.n[i]),
            dropped=int(interval.dropped[i]),
            sources=error_sources(panel.values[i], panel.errors[i]),
            first=float(ranking.first[i]),
            expected_rank=float(ranking.expected[i]),
            rank_low=float(ranking.low[i]),
            rank_high=float(ranking.high[i]),
            is_best=i == best,
            against_best=against_best[i],
            against_chance=against_chance[i],
            components={name: (float(part.mean[i]), float(part.low[i]), float(part.high[i])) for name, part in parts.items()},
        )
        for i in range(m)
    )
    family = max(1, sum(test is not None and test.n > 0 for test in against_best))
    return Analysis(
        panel=panel,
        rows=rows,
        best=rows[best] if best is not None else None,
        chance=rows[chance] if chance is not None else None,
        testable=smallest_p(len(panel.images)) * family * looks < ALPHA,
        concordance=kendall_w(panel.values[candidates]) if candidates.any() else Concordance(float("nan"), 0, 0, 0),
        bands=_bands(panel, weights, level),
        draws=len(weights),
        looks=looks,
    )


def _tests(values: Floats, against: int | None, sign: float, weights: Floats, looks: int) -> list[Test | None]:
    """Every other row against one row, Holm-corrected together."""
    if against is None:
        return [None] * len(values)
    pairs = [
        None
        if index == against
        else compare(sign * row, sign * values[against], weights, np.random.default_rng(SEED), level=level_of(looks))
        for index, row in enumerate(values)
    ]
    p = holm(np.array([np.nan if pair is None else pair.p for pair in pairs]))
    family = int(np.isfinite(p).sum())
    return [
        None if pair is None else _test(pair, min(1.0, looks * float(p[index])), family * looks) for index, pair in enumerate(pairs)
    ]


def _test(pair: Comparison, p: float, tests: int) -> Test:
    if pair.n < 2 or smallest_p(pair.n) * tests >= ALPHA:
        verdict = Verdict.UNKNOWN
    elif p < ALPHA:
        verdict = Verdict.BETTER if pair.difference > 0 else Verdict.WORSE
    else:
        verdict = Verdict.TIE
    return Test(
        verdict=verdict,
        gain=pair.difference,
        low=pair.low,
        high=pair.high,
        superiority=pair.superiority,
        p=p,
        n=pair.n,
        dropped=pair.dropped,
        needed=images_needed(pair.difference, pair.spread, alpha=ALPHA / max(tests, 1)),
    )


def _bands(panel: ScoreMatrix, weights: Floats, level: float) -> tuple[Floats, Floats, Floats] | None:
    if panel.curves is None:
        return None
    rows = [mean_interval(np.ascontiguousarray(curve.T), weights, level=level) for curve in panel.curves]
    return np.stack([r.mean for r in rows]), np.stack([r.low for r in rows]), np.stack([r.high for r in rows])
