"""Slow twins of the metrics of removal curves: one region, one image and one pass at a time."""

from collections.abc import Callable, Sequence
from itertools import permutations

import numpy as np
from scipy.stats import spearmanr
from torch import Tensor

Score = Callable[[Tensor], float]


def region_means(values: Tensor, ids: Tensor) -> list[float]:
    """The mean of the map, summed over channels, over each region."""
    relevance, regions = values.sum(0).double().numpy(), ids.numpy()
    return [float(relevance[regions == r].mean()) for r in range(regions.max() + 1)]


def curve(f: Score, x: Tensor, ids: Tensor, fill: Tensor, order: Sequence[int], counts: Sequence[int]) -> list[float]:
    """The scores with the first regions of the order replaced, as many as each count says."""
    scores = []
    for count in counts:
        z = x.clone()
        for region in order[:count]:
            z[:, ids == region] = fill[:, ids == region]
        scores.append(f(z))
    return scores


def orders_and_counts(values: Tensor, ids: Tensor, steps: int, share: float) -> tuple[list[int], list[int]]:
    """The regions from the most relevant on, and the numbers of regions that are replaced."""
    means = region_means(values, ids)
    order = sorted(range(len(means)), key=lambda r: -means[r])
    last = int(share * len(means))
    return order, [k * last // steps for k in range(steps + 1)]


def mean_height(scores: Sequence[float], counts: Sequence[int]) -> float:
    return float(np.trapezoid(scores, counts)) / counts[-1]


def aopc(f: Score, x: Tensor, values: Tensor, ids: Tensor, fill: Tensor, steps: int, share: float) -> float:
    """Samek et al. 2017: the mean over the curve of f(x) − f(x_k)."""
    order, counts = orders_and_counts(values, ids, steps, share)
    return float(np.mean([f(x) - y for y in curve(f, x, ids, fill, order, counts)]))


def aopc_limits(f: Score, x: Tensor, ids: Tensor, fill: Tensor, share: float) -> tuple[float, float]:
    """Edin et al. 2024: the least and the largest area of all orders of the regions."""
    regions = range(int(ids.max()) + 1)
    counts = range(int(share * len(regions)) + 1)
    orders = permutations(regions, counts[-1])
    areas = [float(np.mean([f(x) - y for y in curve(f, x, ids, fill, order, counts)])) for order in orders]
    return min(areas), max(areas)


def irof(f: Score, x: Tensor, values: Tensor, ids: Tensor, fill: Tensor, steps: int) -> float:
    """Rieger & Hansen 2020: the area over f(x_k) / f(x)."""
    order, counts = orders_and_counts(values, ids, steps, 1.0)
    return mean_height([1 - y / f(x) for y in curve(f, x, ids, fill, order, counts)], counts)


def symmetric_relevance_gain(
    f: Score, x: Tensor, values: Tensor, ids: Tensor, fill: Tensor, steps: int, share: float
) -> tuple[float, list[float]]:
    """Blücher et al. 2024: least first minus most first; and the curve, from the end of the first to the end of the second."""
    order, counts = orders_and_counts(values, ids, steps, share)
    most, least = (curve(f, x, ids, fill, each, counts) for each in (order, order[::-1]))
    gain = (mean_height(least, counts) - mean_height(most, counts)) / f(x)
    return gain, [y / f(x) for y in [*least[::-1], *most[1:]]]


def single_deletion(f: Score, x: Tensor, values: Tensor, ids: Tensor, fill: Tensor) -> float:
    """Hesse et al. 2024: rank correlation of the sums over cells with the drops when each is replaced."""
    sums, drops = [], []
    for cell in range(int(ids.max()) + 1):
        z = x.clone()
        z[:, ids == cell] = fill[:, ids == cell]
        drops.append(f(x) - f(z))
        sums.append(float(values.sum(0)[ids == cell].sum()))
    return float(spearmanr(sums, drops).statistic)
