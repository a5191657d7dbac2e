"""Slow twins of the gradient methods: one node, one sample at a time, in float64, from the equations of the papers."""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

Function = Callable[[Tensor], Tensor]
"""One image `[c, h, w]` → one number."""


def gradient(f: Function, x: Tensor) -> Tensor:
    x = x.detach().double().requires_grad_()
    return torch.autograd.grad(f(x), x)[0]


def eq_1_integrated_gradients(f: Function, x: Tensor, b: Tensor, nodes: Sequence[float], weights: Sequence[float]) -> Tensor:
    """Sundararajan et al., ICML 2017, eq. 1, the integral by the rule given."""
    total = torch.zeros_like(x, dtype=torch.float64)
    for alpha, weight in zip(nodes, weights, strict=True):
        total += weight * gradient(f, b.double() + alpha * (x.double() - b.double()))
    return (x.double() - b.double()) * total


def eq_3_integrated_gradients_right_riemann(f: Function, x: Tensor, b: Tensor, steps: int) -> Tensor:
    """Sundararajan et al., ICML 2017, eq. 3: (x − b) × Σ_{m=1}^{M} ∇f(b + m/M (x − b)) / M."""
    return eq_1_integrated_gradients(f, x, b, [m / steps for m in range(1, steps + 1)], [1 / steps] * steps)


def expected_gradients(f: Function, x: Tensor, baselines: Iterable[Tensor], alphas: Iterable[float]) -> Tensor:
    """Erion et al., 2021, eq. 5: the mean over draws of (x − b) ∇f(b + α (x − b))."""
    terms = []
    for b, alpha in zip(baselines, alphas, strict=True):
        path = x.double() - b.double()
        terms.append(path * gradient(f, b.double() + alpha * path))
    return sum_of(terms) / len(terms)


def smooth_grad(f: Function, x: Tensor, noises: Sequence[Tensor]) -> Tensor:
    """Smilkov et al., 2017: the mean of ∇f(x + ε)."""
    return sum_of([gradient(f, x.double() + noise.double()) for noise in noises]) / len(noises)


def smooth_grad_squared(f: Function, x: Tensor, noises: Sequence[Tensor]) -> Tensor:
    """Hooker et al., 2019: the mean of (∇f(x + ε))²."""
    return sum_of([gradient(f, x.double() + noise.double()) ** 2 for noise in noises]) / len(noises)


def var_grad(f: Function, x: Tensor, noises: Sequence[Tensor]) -> Tensor:
    """Adebayo et al., 2018: the variance of ∇f(x + ε), in two passes, divided by n − 1."""
    return two_pass_variance([gradient(f, x.double() + noise.double()) for noise in noises])


def eq_6_smooth_taylor(f: Function, x: Tensor, roots: Sequence[Tensor]) -> Tensor:
    """Goh et al., ICPR 2020, eq. 6 averaged over roots (eq. 9): 1/R Σ_r (x − z_r) ∇f(z_r)."""
    return sum_of([(x.double() - z.double()) * gradient(f, z.double()) for z in roots]) / len(roots)


def two_pass_variance(rows: Sequence[Tensor]) -> Tensor:
    """Mean first, squared deviations second."""
    mean = sum_of(rows) / len(rows)
    return sum_of([(row - mean) ** 2 for row in rows]) / (len(rows) - 1)


def sum_of(rows: Sequence[Tensor]) -> Tensor:
    total = torch.zeros_like(rows[0], dtype=torch.float64)
    for row in rows:
        total += row
    return total
