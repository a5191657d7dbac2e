"""Slow twin of pixel flipping (Bach et al., 2015), with the deletion and insertion of RISE (Petsiuk et al., 2018)."""

from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor


def pixel_flipping(
    f: Callable[[Tensor], float],
    x: Tensor,
    values: Tensor,
    fills: Sequence[Tensor],
    *,
    steps: int,
    least_first: bool = False,
    insertion: bool = False,
) -> tuple[list[float], float, float]:
    """The relative curve y_0 … y_K, its mean height, and the standard error of that over the fills."""
    relevance = values.sum(0).double().numpy()
    h, w = relevance.shape
    pixels = sorted(((i, j) for i in range(h) for j in range(w)), key=lambda ij: relevance[ij], reverse=not least_first)
    clean = f(x)
    curves = []
    for fill in fills:
        start, end = (fill, x) if insertion else (x, fill)
        current, done, curve = start.clone(), 0, [f(start) / clean]
        for k in range(1, steps + 1):
            for i, j in pixels[done : k * h * w // steps]:
                current[:, i, j] = end[:, i, j]
            done = k * h * w // steps
            curve.append(f(current) / clean)
        curves.append(curve)
    areas = [float(np.trapezoid(curve, [k * h * w // steps / (h * w) for k in range(steps + 1)])) for curve in curves]
    error = float(np.std(areas, ddof=1)) / len(areas) ** 0.5 if len(areas) > 1 else float("nan")
    return [float(y) for y in np.mean(curves, axis=0)], float(np.mean(areas)), error
