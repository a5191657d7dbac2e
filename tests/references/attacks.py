"""Slow twin of the attacks by derivatives: Ghorbani, Abid & Zou, AAAI 2019, algorithm 1, one image, pixel by pixel, in float64."""

from collections.abc import Callable

import torch
from torch import Tensor

Network = Callable[[Tensor], Tensor]
"""One image `[c, h, w]` → outputs `[k]`."""
Objective = Callable[[Tensor], Tensor]
"""One map `[h, w]` → one number."""


def salience(f: Network, x: Tensor, target: int) -> Tensor:
    """S_ij = h w Σ_c |∂f/∂x_cij| / Σ, differentiable in x if f is twice."""
    slope = torch.autograd.grad(f(x)[target], x, create_graph=True)[0]
    mass = sum(slope[c].abs() for c in range(len(slope)))
    return mass / mass.sum() * mass.numel()


def top(maps: Tensor, k: int) -> set[int]:
    values = maps.flatten().tolist()
    return set(sorted(range(len(values)), key=lambda i: -values[i])[:k])


def centre(maps: Tensor) -> Tensor:
    """Σ S_ij (i, j) / Σ S_ij, pixel by pixel."""
    cells = [(i, j) for i in range(maps.shape[0]) for j in range(maps.shape[1])]
    return torch.stack([sum(maps[i, j] * (i, j)[axis] for i, j in cells) / maps.sum() for axis in (0, 1)])


def top_k_rule(start: Tensor, k: int) -> tuple[Objective, Objective]:
    """D = −Σ_{i ∈ B} S_i, and the criterion: minus the number of pixels shared with B."""
    pixels = top(start, k)
    return lambda s: -sum(s.flatten()[i] for i in sorted(pixels)), lambda s: -torch.tensor(float(len(pixels & top(s, k))))


def mass_centre_rule(start: Tensor) -> tuple[Objective, Objective]:
    """D = ‖C(x') − C(x)‖²."""
    goal = centre(start)

    def moved(maps: Tensor) -> Tensor:
        return (centre(maps) - goal).square().sum()

    return moved, moved


def targeted_rule(rows: range, columns: range) -> tuple[Objective, Objective]:
    """D = Σ_{i ∈ R} S_i, R a rectangle."""

    def inside(maps: Tensor) -> Tensor:
        return sum(maps[i, j] for i in rows for j in columns)

    return inside, inside


def algorithm_1(
    f: Network,
    softplus: Network,
    x: Tensor,
    target: int,
    bounds: tuple[Tensor, Tensor],
    epsilon: float,
    steps: int,
    rate: float,
    rule: Callable[[Tensor], tuple[Objective, Objective]],
) -> Tensor:
    """The image among the iterates that is best by the criterion, under the same decision; the clean one if none is better."""
    lower, upper = bounds
    label = int(f(x).argmax())
    start = salience(f, x.clone().requires_grad_(), target).detach()
    objective, criterion = rule(start)
    now, best, most = x.clone(), x.clone(), float(criterion(start))
    for _ in range(steps):
        at = now.clone().requires_grad_()
        slope = torch.autograd.grad(objective(salience(softplus, at, target)), at)[0]
        for c in range(x.shape[0]):
            reach = epsilon * float(upper[c] - lower[c])
            for i in range(x.shape[1]):
                for j in range(x.shape[2]):
                    clean, low, high = float(x[c, i, j]), float(lower[c]), float(upper[c])
                    moved = float(now[c, i, j]) + rate * reach * float(slope[c, i, j].sign())
                    moved = min(max(moved, clean - reach), clean + reach)
                    now[c, i, j] = min(max(moved, min(low, clean)), max(high, clean))
        value = float(criterion(salience(f, now.clone().requires_grad_(), target).detach()))
        if int(f(now).argmax()) == label and value > most:
            best, most = now.clone(), value
    return best
