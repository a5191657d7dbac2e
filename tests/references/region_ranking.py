"""Slow twin: greedy choice of the most relevant windows that do not overlap, as in the code of Goh et al. (ICPR 2020)."""

import numpy as np


def rank_regions(heatmap: np.ndarray, side: int, count: int, *, skip_last: bool = False) -> list[tuple[int, int]]:
    """Corners of the windows of an `[h, w]` map, best mean first."""
    h, w = heatmap.shape
    last = 0 if skip_last else 1
    relevance = {}
    for i in range(h - side + last):
        for j in range(w - side + last):
            relevance[i, j] = sum(float(heatmap[i + di, j + dj]) for di in range(side) for dj in range(side)) / side**2
    chosen: list[tuple[int, int]] = []
    for _ in range(count):
        free = [c for c in relevance if all(abs(c[0] - i) >= side or abs(c[1] - j) >= side for i, j in chosen)]
        chosen.append(max(free, key=lambda corner: relevance[corner]))
    return chosen
