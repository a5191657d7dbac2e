"""Slow twin of DeepLIFT's rescale rule on a chain of dense layers and activations, unit by unit, in float64."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Layer = tuple[Tensor, Tensor, Callable[[Tensor], Tensor] | None]
"""W, b, and what follows W x + b."""


def rescale(chain: Sequence[Layer], x: Tensor, baseline: Tensor, target: int) -> Tensor:
    """Contributions by the chain rule for multipliers (Shrikumar et al. 2017, eq. 3, 6 and 9)."""
    met = []
    u, v = x, baseline
    for weight, b, activation in chain:
        before = weight @ u + b, weight @ v + b
        u, v = (activation(each) if activation else each for each in before)
        met.append((before, (u, v)))
    multipliers = torch.zeros(len(u), dtype=torch.float64)
    multipliers[target] = 1
    for (weight, _, _), ((u, v), (y, z)) in zip(reversed(chain), reversed(met), strict=True):
        through = [m * (y[j] - z[j]) / (u[j] - v[j]) for j, m in enumerate(multipliers)]
        multipliers = torch.stack([sum(weight[j, i] * m for j, m in enumerate(through)) for i in range(weight.shape[1])])
    return multipliers * (x - baseline)
