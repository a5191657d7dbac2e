"""Slow twins of how complex maps are: counts and pairs in loops, float64; the performance information curve, image by image."""

import io
import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import PIL.Image
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor


def histogram_entropy(values: Sequence[float], bins: int) -> float:
    counts, _ = np.histogram(values, bins=bins)
    return -sum(n / len(values) * math.log(n / len(values)) for n in counts.tolist() if n)


def gini(values: Sequence[float]) -> float:
    """Half the mean difference of all pairs, relative to the mean."""
    magnitudes = [abs(v) for v in values]
    pairs = sum(abs(a - b) for a in magnitudes for b in magnitudes)
    return pairs / (2 * len(magnitudes) * sum(magnitudes))


def png_bytes(levels: np.ndarray) -> float:
    file = io.BytesIO()
    PIL.Image.fromarray(np.ascontiguousarray(levels.transpose(1, 2, 0))).save(file, "PNG", compress_level=6)
    return float(len(file.getvalue()))


def level_entropy(levels: np.ndarray) -> float:
    shares = np.unique(levels, return_counts=True)[1] / levels.size
    return float(-(shares * np.log(shares)).sum())


def performance_information_curve(
    performance: Callable[[Tensor], float],
    x: Tensor,
    values: Tensor,
    pixels_of: Callable[[Tensor], Tensor],
    shares: Sequence[float],
    *,
    sigma: float,
    information: Callable[[np.ndarray], float],
) -> tuple[list[tuple[float, float]], float]:
    """The points (information so far, performance) and the area below them; shares end with 1."""
    relevance = values.sum(0).numpy()
    h, w = relevance.shape
    order = sorted(((i, j) for i in range(h) for j in range(w)), key=lambda ij: -relevance[ij])
    blurred = torch.stack([torch.from_numpy(gaussian_filter(c, sigma * min(h, w), mode="reflect")) for c in x.numpy()])

    def told(image: Tensor) -> float:
        return information(np.rint(pixels_of(image).clamp(0, 1).numpy() * 255).astype(np.uint8))

    low, high = told(blurred), told(x)
    points, best = [(0.0, performance(blurred))], 0.0
    for share in shares:
        image = blurred.clone()
        for i, j in order[: max(1, round(share * h * w))]:
            image[:, i, j] = x[:, i, j]
        best = max(best, min(max((told(image) - low) / (high - low), 0), 1))
        points.append((best, performance(image)))
    area = sum((x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in pairwise(points))
    return points, area
