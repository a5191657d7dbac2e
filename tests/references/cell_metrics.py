"""Slow twins of the metrics of map-independent deletions: one subset, one image and one pass at a time."""

from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

Score = Callable[[Tensor], float]


def random_subset(uniform: Tensor, share: float) -> list[int]:
    """The cells with the smallest of some random numbers, as many as the share says."""
    return sorted(range(len(uniform)), key=lambda j: float(uniform[j]))[: max(1, int(share * len(uniform)))]


def replaced(x: Tensor, ids: Tensor, fill: Tensor, subset: Sequence[int]) -> Tensor:
    z = x.clone()
    for cell in subset:
        z[:, ids == cell] = fill[:, ids == cell]
    return z


def sums_and_drops(
    f: Score, x: Tensor, values: Tensor, ids: Tensor, fills: Sequence[Tensor], subsets: Sequence[Sequence[int]]
) -> tuple[list[float], list[float]]:
    sums = [sum(float(values.sum(0)[ids == cell].sum()) for cell in subset) for subset in subsets]
    return sums, [f(x) - f(replaced(x, ids, fill, subset)) for fill, subset in zip(fills, subsets, strict=True)]


def pearson(a: Sequence[float], b: Sequence[float]) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def products_and_drops(f: Score, x: Tensor, values: Tensor, changes: Sequence[Tensor]) -> tuple[list[float], list[float]]:
    """Σ_i I_i A_i and f(x) − f(x − I) of each perturbation."""
    return [float((each * values).sum()) for each in changes], [f(x) - f(x - each) for each in changes]


def infidelity(predicted: Sequence[float], drops: Sequence[float]) -> float:
    """Yeh et al. 2019: the least mean square over scales from 0 on, by a bounded search, as a share of the mean square."""
    from scipy.optimize import minimize_scalar

    u, d = np.array(predicted), np.array(drops)

    def loss(scale: float) -> float:
        return float(np.mean((scale * u - d) ** 2) / np.mean(d**2))

    most = 10 * float(np.abs(d).max() / np.abs(u).max())
    return min(loss(0.0), minimize_scalar(loss, bounds=(0, most), method="bounded", options={"xatol": most * 1e-12}).fun)


def saco(sums: Sequence[float], drops: Sequence[float]) -> float:
    """Wu et al. 2024: over all pairs of parts, the difference of saliency, for if the drops have its order and against if not."""
    gained, total = 0.0, 0.0
    for i in range(len(sums)):
        for j in range(i):
            weight = abs(sums[i] - sums[j])
            gained += weight * float(np.sign(sums[i] - sums[j]) * np.sign(drops[i] - drops[j]))
            total += weight
    return gained / total
