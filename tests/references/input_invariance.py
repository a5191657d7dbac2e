"""Slow twin of Kindermans et al. (2017), section 2: a second network whose first convolution is written out as a matrix."""

from collections.abc import Callable

import torch
from scipy.stats import spearmanr
from torch import Tensor


def second_network(first: Callable[[Tensor], Tensor], rest: Callable[[Tensor], Tensor], m: Tensor) -> Callable[[Tensor], Tensor]:
    """f2(x2) = rest(W x2 + b − W m), for one image; W and b are read off the first layer."""
    bias = first(torch.zeros_like(m))
    matrix = torch.autograd.functional.jacobian(first, torch.zeros_like(m)).reshape(bias.numel(), m.numel())
    moved = bias.flatten() - matrix @ m.flatten()
    return lambda x: rest((matrix @ x.flatten() + moved).view_as(bias))


def input_x_gradient(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    at = x.clone().requires_grad_()
    return x * torch.autograd.grad(f(at), at)[0]


def integrated_gradients(f: Callable[[Tensor], Tensor], x: Tensor, baseline: Tensor, steps: int) -> Tensor:
    """The midpoint rule."""
    total = torch.zeros_like(x)
    for k in range(steps):
        at = (baseline + (k + 0.5) / steps * (x - baseline)).requires_grad_()
        total += torch.autograd.grad(f(at), at)[0] / steps
    return (x - baseline) * total


def likeness_and_distance(a: Tensor, b: Tensor) -> tuple[float, float]:
    """Spearman's ρ of the signed sums of channels, and ‖a − b‖ / ‖a‖."""
    rho = spearmanr(a.sum(0).flatten(), b.sum(0).flatten()).statistic
    return float(rho), float((a - b).norm() / a.norm())
