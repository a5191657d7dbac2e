"""Learned masks from their formulas, one pixel, one cell and one step at a time, in float64."""

from collections.abc import Callable, Sequence
from math import ceil, exp

import torch
from torch import Tensor

Score = Callable[[Tensor], Tensor]
"""An image `[c, h, w]` → its score, differentiable."""


def gaussian(sigma: float) -> dict[int, float]:
    """The weights of offsets, out to four standard deviations."""
    radius = int(4 * sigma + 0.5)
    raw = {d: exp(-(d**2) / (2 * sigma**2)) if sigma else 1.0 for d in range(-radius, radius + 1)}
    return {d: value / sum(raw.values()) for d, value in raw.items()}


def mirrored(i: int, n: int) -> int:
    i %= 2 * n
    return i if i < n else 2 * n - 1 - i


def blurred(mask: Tensor, sigma: float) -> Tensor:
    """A mask of pixels, blurred; what lies beyond the border is the mirror image."""
    (h, w), kernel = mask.shape, gaussian(sigma)
    rows = []
    for y in range(h):
        for x in range(w):
            terms = [a * b * mask[mirrored(y + i, h), mirrored(x + j, w)] for i, a in kernel.items() for j, b in kernel.items()]
            rows.append(torch.stack(terms).sum())
    return torch.stack(rows).view(h, w)


def of_cells(mask: Tensor, h: int, w: int, sigma: float) -> Tensor:
    """U of meaningful perturbation."""
    i, j = mask.shape
    copied = torch.stack([mask[y * i // h, x * j // w] for y in range(h) for x in range(w)]).view(h, w)
    return blurred(copied, sigma)


def first_mask(f: Score, x: Tensor, fill: Tensor, radii: Sequence[float], sigma: float, cells: int, *, preserve: bool) -> Tensor:
    """The smallest disc that takes away, or keeps, 99 % of the score, on a grid whose cells are all of one size."""
    h, w = x.shape[1:]
    candidates, left = [], []
    span = float(abs(f(x) - f(fill)).detach())
    for radius in radii:
        disc = torch.zeros(h, w, dtype=x.dtype)
        for row in range(h):
            for column in range(w):
                far = ((row - (h - 1) / 2) ** 2 + (column - (w - 1) / 2) ** 2) ** 0.5
                disc[row, column] = far < radius * min(h, w)
        disc = blurred(disc, sigma * min(h, w))
        mask = disc if preserve else 1 - disc
        candidates.append(mask.view(cells, h // cells, cells, w // cells).mean((1, 3)))
        left.append(float((f(mask * x + (1 - mask) * fill) - f(fill)).detach()) / span)
    reached = [k for k, value in enumerate(left) if (value >= 0.99 if preserve else value <= 0.01)]
    nearest = max(range(len(left)), key=lambda k: left[k] if preserve else -left[k])
    return candidates[reached[0] if reached else nearest]


def meaningful_loss(
    f: Score, x: Tensor, fill: Tensor, mask: Tensor, sigma: float, l1: float, tv: float, beta: float, *, preserve: bool
) -> Tensor:
    """The score that is left and the prices of area and total variation."""
    pixels = of_cells(mask, *x.shape[1:], sigma)
    score = (f(pixels * x + (1 - pixels) * fill) - f(fill)) / abs(f(x) - f(fill))
    total = -score if preserve else score
    i, j = mask.shape
    for u in range(i):
        for v in range(j):
            total = total + l1 * abs(mask[u, v] if preserve else 1 - mask[u, v])
            if u + 1 < i:
                total = total + tv * abs(mask[u + 1, v] - mask[u, v]) ** beta
            if v + 1 < j:
                total = total + tv * abs(mask[u, v + 1] - mask[u, v]) ** beta
    return total


def smooth_maximum(mask: Tensor, sigma: float) -> Tensor:
    """The smooth maximum of each cell, over that of a mask of ones; σ is in cells."""
    n = len(mask)
    reach = min(max(1, ceil(2 * sigma)), n - 1)

    def at(values: Tensor, u: int, v: int) -> Tensor:
        offsets = range(-reach, reach + 1)
        near = [
            exp(-(i**2 + j**2) / (2 * sigma**2))
            * (values[u + i, v + j] if 0 <= u + i < n and 0 <= v + j < n else torch.zeros((), dtype=values.dtype))
            for i in offsets
            for j in offsets
        ]
        weights = [(each * 20).exp() for each in near]
        return sum(a * b for a, b in zip(near, weights, strict=True)) / sum(weights)

    ones = torch.ones_like(mask)
    cells = [at(mask, u, v) / at(ones, u, v) for u in range(n) for v in range(n)]
    return torch.stack(cells).view(n, n).clamp(max=1)


def extremal_loss(f: Score, x: Tensor, fill: Tensor, mask: Tensor, sigma: float, area: float, weight: float) -> Tensor:
    """Minus the score that is kept, and the price of a missed area; each pixel is a cell."""
    pixels = smooth_maximum(mask, sigma)
    score = (f(pixels * x + (1 - pixels) * fill) - f(fill)) / abs(f(x) - f(fill))
    ordered = sorted(pixels.flatten().unbind(), key=lambda value: value.item())
    ones = round(area * len(ordered))
    missed = [(value - float(rank >= len(ordered) - ones)) ** 2 for rank, value in enumerate(ordered)]
    return weight * sum(missed) / len(missed) - score


def descended(loss: Callable[[Tensor, int], Tensor], mask: Tensor, steps: int, rate: float) -> Tensor:
    """Adam, one cell at a time; after each step the mask is clipped to [0, 1]."""
    mean, square = [0.0] * mask.numel(), [0.0] * mask.numel()
    for step in range(steps):
        at = mask.clone().requires_grad_()
        (slope,) = torch.autograd.grad(loss(at, step), at)
        moved = []
        for k, (value, g) in enumerate(zip(mask.flatten().tolist(), slope.flatten().tolist(), strict=True)):
            mean[k], square[k] = 0.9 * mean[k] + 0.1 * g, 0.999 * square[k] + 0.001 * g * g
            corrected = square[k] / (1 - 0.999 ** (step + 1))
            by = rate * mean[k] / (1 - 0.9 ** (step + 1)) / (corrected**0.5 + 1e-8)
            moved.append(min(1.0, max(0.0, value - by)))
        mask = torch.tensor(moved, dtype=mask.dtype).view(mask.shape)
    return mask
