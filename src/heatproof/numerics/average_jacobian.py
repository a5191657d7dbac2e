"""Average Jacobians J̄ of a function between two points, which replace the derivative so that f(x) − f(b) = J̄ (x − b).

    elementwise   (f(x) − f(b)) / (x − b), exact. The derivative half way is used instead where both x and f(x) change by less than
                  √ε of their size and the quotient would be rounding error; ε is the spacing of the number type at 1.
    maxima        the winners at x where f(x) ≥ f(b), otherwise the winners at b, times (f(x) − f(b)) / (the change of these
                  winners), a factor in [0, 1]; exact.
    along a line  Σ_k w_k J(b + α_k (x − b)), by Gauss–Legendre quadrature. n nodes are exact where J is a polynomial of degree
                  2 n − 1 along the line; one node suffices for the product of two factors.

Each is a function of (f, inputs x, inputs b, the cotangent of the output) and returns the cotangents of the inputs, one tensor for
each. Samples of a batch influence each other only where f lets them.

Source: Shrikumar, Greenside & Kundaje, "Learning important features through propagating activation differences", ICML 2017 (rescale
rule, the elementwise case); Ancona et al., "Towards better understanding of gradient-based attribution methods", ICLR 2018.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.autograd.functional import jvp

from heatproof.numerics.quadrature import GaussLegendre
from heatproof.numerics.wide import wide

Function = Callable[..., Tensor]
AverageJacobian = Callable[[Function, Sequence[Tensor], Sequence[Tensor], Tensor], Sequence[Tensor]]


def along_line(nodes: int) -> AverageJacobian:
    """The Jacobian averaged over `nodes` Gauss–Legendre nodes of the straight line from b to x.

    >>> import torch
    >>> from heatproof.numerics.average_jacobian import along_line
    >>> x, b = [torch.tensor([3.0])], [torch.tensor([1.0])]
    >>> (slope,) = along_line(2)(lambda t: t**3, x, b, torch.ones(1))
    >>> round((slope * (x[0] - b[0])).item(), 3)  # 3³ − 1³
    26.0
    """
    rule = [tuple(each.tolist()) for each in GaussLegendre(steps=nodes).nodes()]

    def average(f: Function, x: Sequence[Tensor], b: Sequence[Tensor], cotangent: Tensor) -> Sequence[Tensor]:
        total = [torch.zeros_like(wide(each)) for each in x]
        for alpha, weight in zip(*rule, strict=True):
            at = [torch.where(p == q, p, q + alpha * (p - q)) for p, q in zip(x, b, strict=True)]  # equal values may be infinite
            total = [a.add(g, alpha=weight) for a, g in zip(total, _vector_jacobian_product(f, at, cotangent), strict=True)]
        return [a.to(each.dtype) for a, each in zip(total, x, strict=True)]

    return average


SMOOTH = along_line(16)
"""The default for functions without an exact rule, such as softmax and normalisations."""


def elementwise(f: Function, x: Sequence[Tensor], b: Sequence[Tensor], cotangent: Tensor) -> Sequence[Tensor]:
    """The rescale rule, for a function of one tensor that acts value by value.

    f may broadcast its input to a larger shape. For several inputs the Jacobian is averaged along the line.

    >>> import torch
    >>> from heatproof.numerics.average_jacobian import elementwise
    >>> x, b = [torch.tensor([3.0, 1.0])], [torch.tensor([-1.0, -1.0])]
    >>> elementwise(torch.relu, x, b, torch.ones(2))
    [tensor([0.7500, 0.5000])]
    """
    if len(x) > 1:
        return SMOOTH(f, x, b, cotangent)
    (p,), (q,) = x, b
    y, z = f(p), f(q)
    share = torch.finfo(p.dtype).eps ** 0.5
    unchanged = (p - q).abs() <= share * torch.maximum(p.abs(), q.abs()).clamp_min(1)
    unchanged = unchanged & ((y - z).abs() <= share * torch.maximum(y.abs(), z.abs()))
    (derivative,) = _vector_jacobian_product(f, [((p + q) / 2).expand_as(y)], torch.ones_like(y))
    slope = torch.where(unchanged, derivative, (y - z) / (p - q))
    return [(cotangent * slope).sum_to_size(p.shape)]


def maxima(f: Function, x: Sequence[Tensor], b: Sequence[Tensor], cotangent: Tensor) -> Sequence[Tensor]:
    """The average Jacobian of a function that selects the largest values of windows, which may overlap, or along axes."""
    change = tuple(p - q for p, q in zip(x, b, strict=True))
    y, of_winners = jvp(f, tuple(x), change)  # type: ignore[no-untyped-call]  # torch does not annotate it
    z, of_losers = jvp(f, tuple(b), change)  # type: ignore[no-untyped-call]  # likewise
    rises = y >= z
    reached = torch.where(rises, of_winners, of_losers)
    flow = cotangent * torch.where(reached == 0, 1.0, (y - z) / reached)
    at_x, at_b = (_vector_jacobian_product(f, at, flow * side) for at, side in ((x, rises), (b, ~rises)))
    return [p + q for p, q in zip(at_x, at_b, strict=True)]


def _vector_jacobian_product(f: Function, at: Sequence[Tensor], cotangent: Tensor) -> Sequence[Tensor]:
    """The vector–Jacobian product Jᵀ v, at the given inputs."""
    with torch.enable_grad():
        inputs = [each.detach().requires_grad_() for each in at]
        return torch.autograd.grad(f(*inputs), inputs, cotangent, allow_unused=True, materialize_grads=True)
