"""Slow twin of the multi-scale total variation, in numpy and scipy with loops: A5 and A7 of the code of Goh et al. (ICPR 2020)."""

import math

import numpy as np
from scipy.ndimage import gaussian_filter

from tests.references.perturbation_curve import area_of


def half_pixel_bilinear(image: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Resize with pixel centres at half-integers and no anti-aliasing."""
    h, w = image.shape
    out = np.empty((rows, columns))
    for r in range(rows):
        y = min(max((r + 0.5) * h / rows - 0.5, 0), h - 1)
        y0 = min(int(y), h - 2)
        above, below = image[y0], image[y0 + 1]
        line = above + (y - y0) * (below - above)
        for c in range(columns):
            x = min(max((c + 0.5) * w / columns - 0.5, 0), w - 1)
            x0 = min(int(x), w - 2)
            out[r, c] = line[x0] + (x - x0) * (line[x0 + 1] - line[x0])
    return out


def pyramid(heatmap: np.ndarray, factor: float = 1.5, smallest: float = 30) -> list[np.ndarray]:
    levels = [heatmap.astype(np.float64)]
    while True:
        size = [math.ceil(side / factor) for side in levels[-1].shape]
        if min(size) < smallest:
            return levels
        blurred = gaussian_filter(levels[-1], sigma=2 * factor / 6, mode="reflect", truncate=4)
        levels.append(half_pixel_bilinear(blurred, *size))


def saliency(heatmap: np.ndarray, top: float = 99) -> np.ndarray:
    """|h| between its minimum and its percentile, clipped to [0, 1]."""
    a = np.abs(heatmap)
    low, high = a.min(), np.percentile(a, top)
    return np.clip((a - low) / (high - low), 0, 1)


def average_total_variation(s: np.ndarray) -> float:
    total = 0.0
    for i in range(s.shape[0]):
        for j in range(s.shape[1]):
            if j + 1 < s.shape[1]:
                total += abs(s[i, j + 1] - s[i, j])
            if i + 1 < s.shape[0]:
                total += abs(s[i + 1, j] - s[i, j])
    return total / s.size


def eq_12_curve(heatmap: np.ndarray, *, once: bool = False, smallest: float = 30) -> list[float]:
    """ATV at every level; normalised at each level (the code), or once before the pyramid (the slides)."""
    if once:
        return [average_total_variation(level) for level in pyramid(saliency(heatmap), smallest=smallest)]
    return [average_total_variation(saliency(level)) for level in pyramid(heatmap, smallest=smallest)]


def autvc(heatmap: np.ndarray, *, once: bool = False, smallest: float = 30) -> float:
    return area_of(eq_12_curve(heatmap, once=once, smallest=smallest))
