"""Do metrics order the methods alike? Kendall's τ between the rankings of each two metrics, with intervals over images.

    τ_kl = Σ_{i < j} s_kij s_lij / √(Σ s_kij² Σ s_lij²),    s_kij = sign(x̄_ki − x̄_kj)

x̄_ki is the mean score of method i under metric k, signed so that more is better. Methods with equal means count as neither in
order nor out of it (τ-b). The interval resamples images, once for all metrics, so that it holds what the two rankings have in
common.

Source: Kendall, "A new measure of rank correlation", Biometrika 30, 1938.

Missing values: a score is left out of the mean of its own method only; a method without a score under a metric is in no pair of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from heatproof.core.errors import TensorError
from heatproof.core.records import Direction
from heatproof.stats.bootstrap import Floats, resampled_means


@dataclass(frozen=True)
class MetricAgreement:
    """Kendall's `tau` [k, k] between metrics, with the ends of its interval, each [k, k].

    A number is NaN where fewer than two methods have scores of both metrics, or all are equal under one. One image has no interval.
    """

    tau: Floats
    low: Floats
    high: Floats


def kendall_matrix(scores: Floats, directions: Sequence[Direction], weights: Floats, *, level: float = 0.95) -> MetricAgreement:
    """The agreement of k metrics about m methods, from scores [k, m, n] and weights [draws, n].

    Raises:
        TensorError: The scores are not [k, m, n], or the number of directions is not k.

    >>> import numpy as np
    >>> from heatproof.core.records import Direction
    >>> from heatproof.stats import kendall_matrix, resampling_weights
    >>> one = np.array([[0.1, 0.2, 0.1], [0.5, 0.6, 0.4], [0.9, 0.8, 0.7]])
    >>> weights = resampling_weights(3, 100, np.random.default_rng(0))
    >>> kendall_matrix(np.stack([one, 1 - one]), [Direction.HIGHER, Direction.LOWER], weights).tau.tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    if scores.ndim != 3 or len(directions) != len(scores):
        raise TensorError(f"expected scores [metrics, methods, images] and k directions, got {scores.shape} and {len(directions)}.")
    k, m, n = scores.shape
    signs = np.array([-1.0 if direction == Direction.LOWER else 1.0 for direction in directions])
    means = resampled_means(scores * signs[:, None, None], np.concatenate([np.ones((1, n)), weights]))  # [k, m, 1 + draws]
    i, j = np.triu_indices(m, 1)
    order = np.sign(means[:, i] - means[:, j])  # [k, pairs, 1 + draws]
    known = np.isfinite(order)
    filled, counted = np.where(known, order, 0.0), known.astype(np.float64)
    tau = np.full((3, k, k), np.nan)
    tail = (1 - level) / 2
    for a in range(k):
        for b in range(a, k):
            both = counted[a] * counted[b]
            pairs = np.sqrt((filled[a] ** 2 * both).sum(0) * (filled[b] ** 2 * both).sum(0))
            each = np.divide((filled[a] * filled[b]).sum(0), pairs, out=np.full(pairs.shape, np.nan), where=pairs > 0)
            drawn = each[1:][np.isfinite(each[1:])]
            ends = np.quantile(drawn, [tail, 1 - tail]) if len(drawn) > 1 and n > 1 else (np.nan, np.nan)
            tau[:, a, b] = tau[:, b, a] = [each[0], *ends]
    return MetricAgreement(*tau)
