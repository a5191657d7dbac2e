"""Average Jacobians J̄ of a function between two points, which replace the derivative so that f(x) − f(b) = J̄ (x − b).

    elementwise   (f(x) − f(b)) / (x − b), exact. The derivative half way is used instead where both x and f(x) change by less than
                  √ε of their size and the quotient would be rounding error; ε is the spacing of the number type at 1.
    maxima        the winners at x where f(x) ≥ f(b), otherwise the winners at b, times (f(x) − f(b)) / (the change of these
                  winners), a factor in [0, 1]; exact.
    minima        the same of −f(−x).
    sorted        the k-th largest value: where it rises from b to x, one of the k largest values at x takes the change y_k − z_k,
                  the one that is smallest at b; where it falls, one of the k largest at b, the smallest at x. A factor in [0, 1];
                  exact also where values change their order. For k = 1 it is `maxima`.
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
            total = [a.add(g, alpha=weight) for a, g in zip(total, vector_jacobian_product(f, at, cotangent), strict=True)]
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
    (derivative,) = vector_jacobian_product(f, [((p + q) / 2).expand_as(y)], torch.ones_like(y))
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
    at_x, at_b = (vector_jacobian_product(f, at, flow * side) for at, side in ((x, rises), (b, ~rises)))
    return [p + q for p, q in zip(at_x, at_b, strict=True)]


def minima(f: Function, x: Sequence[Tensor], b: Sequence[Tensor], cotangent: Tensor) -> Sequence[Tensor]:
    """The average Jacobian of a function that selects the smallest values of windows, or along axes."""

    def mirrored(*inputs: Tensor) -> Tensor:
        return -f(*[-each for each in inputs])

    return maxima(mirrored, [-each for each in x], [-each for each in b], cotangent)


def in_order(axis: int, descending: bool) -> AverageJacobian:
    """The average Jacobian of a function that sorts the values of one tensor along an axis, or returns the first of them in order.

    Args:
        axis: The axis.
        descending: Whether the largest value comes first.

    >>> import torch
    >>> from heatproof.numerics.average_jacobian import in_order
    >>> x, b = torch.tensor([3.0, 1.0, 2.0]), torch.tensor([0.0, 1.0, 5.0])
    >>> (slope,) = in_order(0, descending=True)(lambda u: u.topk(2).values, [x], [b], torch.ones(2))
    >>> round((slope * (x - b)).sum().item(), 5)  # (3 + 2) − (5 + 1)
    -1.0
    """

    def average(f: Function, x: Sequence[Tensor], b: Sequence[Tensor], cotangent: Tensor) -> Sequence[Tensor]:
        p, q = (each[0].movedim(axis, -1) * (1 if descending else -1) for each in (x, b))
        above = cotangent.movedim(axis, -1)
        y, at_x = p.sort(dim=-1, descending=True, stable=True)
        z, at_b = q.sort(dim=-1, descending=True, stable=True)
        lowest_at_b = at_x.gather(-1, q.gather(-1, at_x).cummin(-1).indices)
        lowest_at_x = at_b.gather(-1, p.gather(-1, at_b).cummin(-1).indices)
        takes = torch.where(y >= z, lowest_at_b, lowest_at_x)
        change = (p - q).gather(-1, takes)
        factor = torch.where(change == 0, 1.0, (y - z) / change)
        takes, factor = (each[..., : above.shape[-1]] for each in (takes, factor))
        return [torch.zeros_like(p).scatter_add(-1, takes, above * factor).movedim(-1, axis)]

    return average


def vector_jacobian_product(f: Function, at: Sequence[Tensor], cotangent: Tensor) -> Sequence[Tensor]:
    """The vector–Jacobian product Jᵀ v, at the given inputs."""
    with torch.enable_grad():
        inputs = [each.detach().requires_grad_() for each in at]
        return torch.autograd.grad(f(*inputs), inputs, cotangent, allow_unused=True, materialize_grads=True)
