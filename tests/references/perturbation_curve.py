"""Slow twin of the perturbation curve, eq. 10–11 of Goh et al. (ICPR 2020) with the details of their code."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.integrate import simpson
from torch import Tensor

from tests.references.region_ranking import rank_regions


def perturbation_curve(
    f: Callable[[Tensor], float],
    x: Tensor,
    values: Tensor,
    patches: Sequence[Callable[[int], Tensor]],
    *,
    side: int,
    regions: int,
    candidates: int,
    skip_last: bool = False,
    signed: bool = False,
) -> tuple[list[float], float, float]:
    """The relative curve y_0 … y_L, its area and the standard error of the area, over one path for each of `patches`.

    `patch(l P + p)` is the p-th candidate's replacement at step l of a path with P candidates a step.
    """
    heatmap = values.sum(0).double().numpy()
    corners = rank_regions(heatmap if signed else abs(heatmap), side, regions, skip_last=skip_last)
    curves = [_path(f, x, patch, corners, side, candidates) for patch in patches]
    areas = [area_of(curve) for curve in curves]
    error = float(np.std(areas, ddof=1)) / len(areas) ** 0.5 if len(areas) > 1 else float("nan")
    return [float(y) for y in np.mean(curves, axis=0)], float(np.mean(areas)), error


def _path(
    f: Callable[[Tensor], float],
    x: Tensor,
    patch: Callable[[int], Tensor],
    corners: list[tuple[int, int]],
    side: int,
    candidates: int,
) -> list[float]:
    current = x.clone()
    curve = [f(current)]
    for step, (i, j) in enumerate(corners):
        images, scores = [], []
        for p in range(candidates):
            image = current.clone()
            image[:, i : i + side, j : j + side] = patch(step * candidates + p)
            images.append(image)
            scores.append(f(image))
        curve.append(sum(scores) / candidates)
        distance = [abs(score - float(np.median(scores))) for score in scores]
        nearest = [p for p in range(candidates) if distance[p] <= min(distance) + 1e-12]
        current = images[nearest[0]]
    return [y / curve[0] for y in curve]


def area_of(curve: list[float]) -> float:
    """Simpson's rule, step 1; for an even number of points the mean of leaving the first and the last interval to the trapezoid."""
    if len(curve) % 2:
        return float(simpson(curve, dx=1))
    first = (curve[0] + curve[1]) / 2 + float(simpson(curve[1:], dx=1))
    last = float(simpson(curve[:-1], dx=1)) + (curve[-2] + curve[-1]) / 2
    return (first + last) / 2
