"""Perturbation methods from their formulas, one place and one mask at a time, in float64."""

from collections.abc import Callable, Sequence
from itertools import product

import torch
from torch import Tensor

Function = Callable[[Tensor], float]


def occlusion(f: Function, x: Tensor, fill: Tensor, window: Sequence[int], stride: Sequence[int]) -> Tensor:
    """Of one image `[c, *space]`: the mean, over the windows that hold a place, of their drops of the score per value."""
    space = x.shape[1:]
    starts = []
    for n, a, s in zip(space, window, stride, strict=True):
        along = [0]
        while along[-1] + a < n:
            along.append(along[-1] + s)
        starts.append(along)
    total, count = torch.zeros_like(x), torch.zeros_like(x)
    for corner in product(*starts):
        inside = torch.zeros(space, dtype=torch.bool)
        inside[tuple(slice(at, at + a) for at, a in zip(corner, window, strict=True))] = True
        drop = f(x) - f(torch.where(inside, fill, x))
        total += inside.double() * (drop / (int(inside.sum()) * len(x)))
        count += inside
    return total / count


def feature_ablation(f: Function, x: Tensor, fill: Tensor, ids: Tensor) -> Tensor:
    """Of one image: the drop of the score without the group of a value, per value of the group; `ids` has the image's shape."""
    found = torch.zeros_like(x)
    for group in ids[ids >= 0].unique():
        inside = ids == group
        found[inside] = (f(x) - f(torch.where(inside, fill, x))) / int(inside.sum())
    return found


def rise(f: Function, x: Tensor, fill: Tensor, masks: Tensor, keep: float, *, centred: bool) -> Tensor:
    """Of one image, from its masks `[N, *space]`."""
    scores = [f(mask * x + (1 - mask) * fill) for mask in masks]
    n, mean = len(masks), sum(scores) / len(masks)
    total = torch.zeros_like(x)
    for score, mask in zip(scores, masks, strict=True):
        total += (score - mean) * (mask - masks.mean(0)) / (n - 1) if centred else score * mask / n
    return total / (keep * len(x))
