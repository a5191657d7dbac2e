"""Stability: how far a metric orders the methods as before when one of its settings is another.

    τ = Kendall's τ-b between the order of the methods' means under the metric and under its variant

The order is that of the methods, the controls and one random map. 1 is the same order, and 0 none in common. The interval is over
images, which are resampled for both at once. The variants are computed on the first images only, `MOST_IMAGES` of them, so that the
question costs a bounded number of passes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from heatproof.core.records import Direction
from heatproof.stats import kendall_matrix, resampling_weights
from heatproof.stats.bootstrap import Floats

MOST_IMAGES = 12
DRAWS = 1_000


@dataclass(frozen=True)
class Stability:
    """Kendall's `tau` of two orders of maps with its interval [`low`, `high`], over `n` images; `best_stays` says whether both
    have the same best method.
    """

    tau: float
    low: float
    high: float
    n: int
    best_stays: bool


def stability_of(scores: Floats, variants: Mapping[str, Floats], direction: Direction, methods: int) -> dict[str, Stability]:
    """The stability of a metric's order of maps under each of its variants.

    Args:
        scores: the scores of the metric [maps, images], of the same images as those of the variants.
        variants: the scores of each variant, by its name, in the same order.
        direction: which way the metric is better.
        methods: how many of the maps, the first ones, are those of methods.

    >>> import numpy as np
    >>> from heatproof.core.records import Direction
    >>> from heatproof.verdict.stability import stability_of
    >>> scores = np.array([[3.0, 3.1, 2.9], [2.0, 2.1, 2.2], [1.0, 1.2, 1.1]])
    >>> found = stability_of(scores, {"same": 2 * scores, "upside down": -scores}, Direction.HIGHER, 2)
    >>> [(name, each.tau, each.best_stays) for name, each in found.items()]
    [('same', 1.0, True), ('upside down', -1.0, False)]
    """
    weights = resampling_weights(scores.shape[1], DRAWS, np.random.default_rng(0))
    return {name: _stability(scores, values, direction, weights, methods) for name, values in variants.items()}


def _stability(scores: Floats, variant: Floats, direction: Direction, weights: Floats, methods: int) -> Stability:
    both = np.stack([scores, variant])
    n = int(np.isfinite(both).all(axis=0).any(axis=0).sum())
    matrix = kendall_matrix(both, [direction, direction], weights)
    tau, low, high = (float(each[0, 1]) for each in (matrix.tau, matrix.low, matrix.high))
    return Stability(tau, low, high, n, _best(scores[:methods], direction) == _best(variant[:methods], direction))


def _best(scores: Floats, direction: Direction) -> int:
    """The method with the best mean; −1 if there is none."""
    sign = -1.0 if direction == Direction.LOWER else 1.0
    known = np.isfinite(scores)
    count = known.sum(axis=1)
    means = np.divide(sign * np.where(known, scores, 0).sum(axis=1), count, out=np.full(len(scores), -np.inf), where=count > 0)
    return int(means.argmax()) if np.isfinite(means).any() else -1
