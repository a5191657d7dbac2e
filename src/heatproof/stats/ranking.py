"""The uncertainty of a ranking of methods, by the bootstrap over images.

Each resample of the images has means of its own, and hence a ranking of its own. The resamples give the probability of being first,
the expected rank and the range of ranks. Equal means share their ranks (average), and share the first place equally. Beside them
stands the mean over images of the rank within an image, which a single outlying score hardly changes.

Missing values: a method without any score is not ranked (NaN). Only images on which every ranked method has a score count; the
number of dropped images is returned.
"""

from dataclasses import dataclass

import numpy as np

from heatproof.core.errors import TensorError
from heatproof.core.records import Direction
from heatproof.stats.average_ranks import average_ranks
from heatproof.stats.bootstrap import Floats, resampling_weights


@dataclass(frozen=True)
class Ranking:
    """The ranking of m methods, as arrays [m]; `n` images counted and `dropped` did not.

    `first` is the probability of being first (it sums to 1), `expected` is the expected rank (1 = best) with its range [`low`,
    `high`], which is NaN for one image, and `within` is the mean rank within images.
    """

    first: Floats
    expected: Floats
    low: Floats
    high: Floats
    within: Floats
    n: int
    dropped: int


def rank(
    values: Floats,
    direction: Direction,
    rng: np.random.Generator,
    *,
    draws: int = 10_000,
    level: float = 0.95,
    weights: Floats | None = None,
) -> Ranking:
    """Rank methods by their mean over images.

    Args:
        values: scores [m, n] of m methods on n images, NaN where there is none.
        direction: which way is better.
        rng: draws the resamples.
        draws: the number of resamples.
        level: the share of the resampled ranks that [low, high] contains.
        weights: what `resampling_weights` drew for n images with such a generator, so that they are not drawn anew; they are used
            if every method has a score of every image.

    Raises:
        TensorError: The values are not [m, n].

    >>> import numpy as np
    >>> from heatproof.core.records import Direction
    >>> from heatproof.stats import rank
    >>> ranking = rank(np.array([[0.1, 0.2, 0.1], [0.8, 0.9, 0.7]]), Direction.LOWER, np.random.default_rng(0), draws=100)
    >>> ranking.first.tolist(), ranking.expected.tolist(), ranking.n
    ([1.0, 0.0], [1.0, 2.0], 3)
    """
    if values.ndim != 2:
        raise TensorError(f"expected scores [methods, images], got shape {values.shape}.")
    methods = np.flatnonzero(np.isfinite(values).any(axis=1))
    images = np.flatnonzero(np.isfinite(values[methods]).all(axis=0)) if methods.size else np.array([], dtype=int)
    empty = np.full(len(values), np.nan)
    if not images.size:
        return Ranking(empty, empty, empty, empty, empty, n=0, dropped=values.shape[1])

    signed = values[np.ix_(methods, images)] * (1.0 if direction == Direction.LOWER else -1.0)
    known = weights is not None and weights.shape == (draws, len(images))
    means = (weights if weights is not None and known else resampling_weights(len(images), draws, rng)) @ signed.T / len(images)
    leads = means == means.min(axis=1, keepdims=True)
    ranks = average_ranks(means)
    tail = (1 - level) / 2

    def with_missing(numbers: Floats) -> Floats:
        full = empty.copy()
        full[methods] = numbers
        return full

    return Ranking(
        first=with_missing((leads / leads.sum(axis=1, keepdims=True)).mean(axis=0)),
        expected=with_missing(ranks.mean(axis=0)),
        low=with_missing(np.quantile(ranks, tail, axis=0, method="inverted_cdf")) if len(images) > 1 else empty,
        high=with_missing(np.quantile(ranks, 1 - tail, axis=0, method="inverted_cdf")) if len(images) > 1 else empty,
        within=with_missing(average_ranks(signed.T).T.mean(axis=1)),
        n=len(images),
        dropped=values.shape[1] - len(images),
    )
