"""The ladder: does a metric order maps by how much they are damaged?

A map is damaged to known shares 0 = s_1 < … < s_L, and each is scored. For one image,

    τ = 2 / (L (L − 1)) Σ_{j < l} sign(g_j − g_l)

g is the score, signed so that more is better. τ is 1 if every step of damage lowers the score, 0 if the score takes no notice, and
−1 if the metric prefers damage. It is Kendall's τ-a between the damage and the loss of score: steps with equal scores count as
neither. Its mean over images has the interval of a bootstrap over images.

Source: the order of known damage as a test of metrics: Zheng et al., "F-Fidelity", ICLR 2025; the coefficient: Kendall, "A new
measure of rank correlation", Biometrika 30, 1938.

Missing values: an image counts only where every step has a score; the number of dropped images is returned.
"""

from dataclasses import dataclass

import numpy as np

from heatproof.core.errors import TensorError
from heatproof.core.records import Direction
from heatproof.stats.bootstrap import Floats, mean_interval


@dataclass(frozen=True)
class Ladder:
    """The mean of Kendall's `tau` over `n` images with its interval [`low`, `high`].

    `images` has τ of each image, NaN where a step has no score; there are `dropped` of these.
    """

    tau: float
    low: float
    high: float
    n: int
    dropped: int
    images: Floats


def climb(scores: Floats, damage: Floats, direction: Direction, weights: Floats) -> Ladder:
    """The ladder of a metric, from the scores [steps, images] of maps that are damaged to `damage` [steps].

    Args:
        scores: the score of each image at each step, NaN where there is none.
        damage: how much the map is damaged at each step, in any unit; the order alone counts.
        direction: which way the metric is better.
        weights: [draws, images] from `resampling_weights`.

    Raises:
        TensorError: The scores are not [steps, images], or there are fewer than two different steps.

    >>> import numpy as np
    >>> from heatproof.core.records import Direction
    >>> from heatproof.stats import climb, resampling_weights
    >>> scores = np.array([[0.9, 0.8, 0.7], [0.5, 0.6, 0.7], [0.1, 0.2, 0.3]])
    >>> ladder = climb(scores, np.array([0.0, 0.5, 1.0]), Direction.HIGHER, resampling_weights(3, 100, np.random.default_rng(0)))
    >>> ladder.images.round(2).tolist(), round(ladder.tau, 2)
    ([1.0, 1.0, 0.67], 0.89)
    """
    if scores.ndim != 2 or damage.shape != scores.shape[:1]:
        raise TensorError(f"expected scores [steps, images] and damage [steps], got {scores.shape} and {damage.shape}.")
    steps = np.sign(damage[None, :] - damage[:, None])
    pairs = np.triu(np.ones_like(steps), 1) * np.abs(steps)
    if not pairs.any():
        raise TensorError(f"expected at least two steps of different damage, got {damage.tolist()}.")
    gain = scores * (-1.0 if direction == Direction.LOWER else 1.0)
    lost = np.sign(gain[:, None] - gain[None, :])  # NaN where a step has no score
    tau = (lost * (pairs * steps)[:, :, None]).sum(axis=(0, 1)) / pairs.sum()
    interval = mean_interval(tau, weights)
    return Ladder(float(interval.mean), float(interval.low), float(interval.high), int(interval.n), int(interval.dropped), tau)
