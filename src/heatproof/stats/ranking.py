"""How sure is the ranking? Bootstrap over images.

Each resample of the images has its own means, hence its own ranking of the methods. Over the resamples this gives the probability
of being first, the expected rank and the range of ranks. Ties: equal means share their ranks (average), and being first is shared
equally. Beside it stands the mean over images of the rank within the image, which no single image with a wild score can sway.

Missing values: a method with no score at all is not ranked (NaN); of the images, only those count on which every ranked method
has a score. How many were dropped is returned.
"""

from dataclasses import dataclass

import numpy as np

from heatproof.core.errors import TensorError
from heatproof.core.records import Direction
from heatproof.stats.bootstrap import Floats, resampling_weights


@dataclass(frozen=True)
class Ranking:
    """Per method, arrays [m]; `n` images counted, `dropped` did not.

    `first` is the probability of being first (sums to 1), `expected` the expected rank (1 = best) with its range [`low`, `high`],
    `within` the mean rank within images.
    """

    first: Floats
    expected: Floats
    low: Floats
    high: Floats
    within: Floats
    n: int
    dropped: int


def rank(values: Floats, direction: Direction, rng: np.random.Generator, *, draws: int = 10_000, level: float = 0.95) -> Ranking:
    """Rank methods by their mean over images.

    Args:
        values: scores [m, n] of m methods on n images, NaN where there is none.
        direction: which way is better.
        rng: draws the resamples.
        draws: number of resamples.
        level: share of the resampled ranks that [low, high] holds.

    Raises:
        TensorError: values are not [m, n].
    """
    from scipy.stats import rankdata

    if values.ndim != 2:
        raise TensorError(f"expected scores [methods, images], got shape {values.shape}.")
    methods = np.flatnonzero(np.isfinite(values).any(axis=1))
    images = np.flatnonzero(np.isfinite(values[methods]).all(axis=0)) if methods.size else np.array([], dtype=int)
    empty = np.full(len(values), np.nan)
    if not images.size:
        return Ranking(empty, empty, empty, empty, empty, n=0, dropped=values.shape[1])

    signed = values[np.ix_(methods, images)] * (1.0 if direction == Direction.LOWER else -1.0)
    means = resampling_weights(len(images), draws, rng) @ signed.T / len(images)
    leads = means == means.min(axis=1, keepdims=True)
    ranks = rankdata(means, axis=1)
    tail = (1 - level) / 2

    def spread_out(numbers: Floats) -> Floats:
        full = empty.copy()
        full[methods] = numbers
        return full

    return Ranking(
        first=spread_out((leads / leads.sum(axis=1, keepdims=True)).mean(axis=0)),
        expected=spread_out(ranks.mean(axis=0)),
        low=spread_out(np.quantile(ranks, tail, axis=0, method="inverted_cdf")),
        high=spread_out(np.quantile(ranks, 1 - tail, axis=0, method="inverted_cdf")),
        within=spread_out(rankdata(signed, axis=0).mean(axis=1)),
        n=len(images),
        dropped=values.shape[1] - len(images),
    )
