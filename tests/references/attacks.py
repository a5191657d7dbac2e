"""Slow twin of the top-k attack: Ghorbani, Abid & Zou, AAAI 2019, algorithm 1, one image, pixel by pixel, in float64."""

from collections.abc import Callable

import torch
from torch import Tensor

Network = Callable[[Tensor], Tensor]
"""One image `[c, h, w]` → outputs `[k]`."""


def salience(f: Network, x: Tensor, target: int) -> Tensor:
    """S_ij = h w Σ_c |∂f/∂x_cij| / Σ, differentiable in x if f is twice."""
    slope = torch.autograd.grad(f(x)[target], x, create_graph=True)[0]
    mass = sum(slope[c].abs() for c in range(len(slope)))
    return mass / mass.sum() * mass.numel()


def top(maps: Tensor, k: int) -> set[int]:
    values = maps.flatten().tolist()
    return set(sorted(range(len(values)), key=lambda i: -values[i])[:k])


def top_k_attack(
    f: Network,
    softplus: Network,
    x: Tensor,
    target: int,
    bounds: tuple[Tensor, Tensor],
    epsilon: float,
    share: float,
    steps: int,
    rate: float,
) -> Tensor:
    """The image among the iterates that shares fewest of its k pixels with the clean image, under the same decision."""
    lower, upper = bounds
    label = int(f(x).argmax())
    start = salience(f, x.clone().requires_grad_(), target)
    k = max(1, round(share * start.numel()))
    pixels = top(start, k)
    now, best, fewest = x.clone(), x.clone(), k
    for _ in range(steps):
        at = now.clone().requires_grad_()
        mass = salience(softplus, at, target).flatten()
        slope = torch.autograd.grad(sum(mass[i] for i in sorted(pixels)), at)[0]
        for c in range(x.shape[0]):
            reach = epsilon * float(upper[c] - lower[c])
            for i in range(x.shape[1]):
                for j in range(x.shape[2]):
                    clean, low, high = float(x[c, i, j]), float(lower[c]), float(upper[c])
                    moved = float(now[c, i, j]) - rate * reach * float(slope[c, i, j].sign())
                    moved = min(max(moved, clean - reach), clean + reach)
                    now[c, i, j] = min(max(moved, min(low, clean)), max(high, clean))
        shared = len(pixels & top(salience(f, now.clone().requires_grad_(), target), k))
        if int(f(now).argmax()) == label and shared < fewest:
            best, fewest = now.clone(), shared
    return best
