"""Pointing game and energy in the mask, one pixel at a time, float64."""

import math

from torch import Tensor


def pixels(region: Tensor) -> list[tuple[int, int]]:
    return [(i, j) for i in range(region.shape[0]) for j in range(region.shape[1]) if region[i, j]]


def pointing_game(values: Tensor, region: Tensor, tolerance: int) -> float:
    """Zhang et al., section 5.1, with the expected hit where several pixels are highest. A map `[c, h, w]`, a region `[h, w]`."""
    summed = values.double().sum(0)
    highest = [(i, j) for i in range(summed.shape[0]) for j in range(summed.shape[1]) if summed[i, j] == summed.max()]
    hits = [min(math.dist(point, pixel) for pixel in pixels(region)) <= tolerance for point in highest]
    return sum(hits) / len(hits)


def energy_in_mask(values: Tensor, region: Tensor) -> float:
    """Wang et al., section 4.3."""
    summed = values.double().sum(0)
    inside = outside = 0.0
    for i in range(summed.shape[0]):
        for j in range(summed.shape[1]):
            energy = max(float(summed[i, j]), 0.0)
            inside, outside = (inside + energy, outside) if region[i, j] else (inside, outside + energy)
    return inside / (inside + outside)
