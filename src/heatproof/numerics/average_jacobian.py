"""Average slopes of a function between two points: what takes the place of the derivative so that f(x) − f(b) = J̄ (x − b).

    elementwise   (f(x) − f(b)) / (x − b), exact; f′ half way where that is all rounding: where x and f(x) both change by less than
                  a share √ε of what they are, ε the spacing of the type at 1
    maxima        the winners at x where f(x) ≥ f(b), else those at b, times (f(x) − f(b)) / (their change), which lies in [0, 1];
                  exact
    on a line     Σ_k w_k J(b + α_k (x − b)), Gauss–Legendre; n nodes are exact where J is a polynomial of degree 2 n − 1 on the
                  line, as one node is for the product of two factors

Each is a function of (f, inputs x, inputs b, what comes from above) and gives what comes below, one tensor an input. Rows meet only
what f lets them meet.

Source: Shrikumar, Greenside & Kundaje, "Learning important features through propagating activation differences", ICML 2017 (rescale
rule, the elementwise case); Ancona et al., "Towards better understanding of gradient-based attribution methods", ICLR 2018.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.autograd.functional import jvp

from heatproof.numerics.quadrature import GaussLegendre

Function = Callable[..., Tensor]
AverageJacobian = Callable[[Function, Sequence[Tensor], Sequence[Tensor], Tensor], Sequence[Tensor]]


def along_line(nodes: int) -> AverageJacobian:
    """The Jacobian averaged over nodes of the straight line."""
    rule = [tuple(each.tolist()) for each in GaussLegendre(steps=nodes).nodes()]

    def secant(f: Function, x: Sequence[Tensor], b: Sequence[Tensor], above: Tensor) -> Sequence[Tensor]:
        found = [torch.zeros_like(each) for each in x]
        for alpha, weight in zip(*rule, strict=True):
            at = [torch.where(p == q, p, q + alpha * (p - q)) for p, q in zip(x, b, strict=True)]  # infinite where both are
            found = [a.add(g, alpha=weight) for a, g in zip(found, _pulled_back(f, at, above), strict=True)]
        return found

    return secant


SMOOTH = along_line(16)
"""For softmax, normalisations, and whatever else there is."""


def elementwise(f: Function, x: Sequence[Tensor], b: Sequence[Tensor], above: Tensor) -> Sequence[Tensor]:
    """The rescale rule, for f of one tensor, value by value; other inputs of f may make it larger."""
    if len(x) > 1:
        return SMOOTH(f, x, b, above)
    (p,), (q,) = x, b
    y, z = f(p), f(q)
    share = torch.finfo(p.dtype).eps ** 0.5
    still = (p - q).abs() <= share * torch.maximum(p.abs(), q.abs()).clamp_min(1)
    still = still & ((y - z).abs() <= share * torch.maximum(y.abs(), z.abs()))
    (derivative,) = _pulled_back(f, [((p + q) / 2).expand_as(y)], torch.ones_like(y))
    slope = torch.where(still, derivative, (y - z) / (p - q))
    return [(above * slope).sum_to_size(p.shape)]


def maxima(f: Function, x: Sequence[Tensor], b: Sequence[Tensor], above: Tensor) -> Sequence[Tensor]:
    """For f that selects the largest values of windows, which may overlap, or of axes."""
    change = tuple(p - q for p, q in zip(x, b, strict=True))
    y, of_winners = jvp(f, tuple(x), change)  # type: ignore[no-untyped-call]  # torch does not annotate it
    z, of_losers = jvp(f, tuple(b), change)  # type: ignore[no-untyped-call]  # likewise
    rises = y >= z
    reached = torch.where(rises, of_winners, of_losers)
    flow = above * torch.where(reached == 0, 1.0, (y - z) / reached)
    at_x, at_b = (_pulled_back(f, at, flow * side) for at, side in ((x, rises), (b, ~rises)))
    return [p + q for p, q in zip(at_x, at_b, strict=True)]


def _pulled_back(f: Function, at: Sequence[Tensor], above: Tensor) -> Sequence[Tensor]:
    """Jᵀ above."""
    with torch.enable_grad():
        inputs = [each.detach().requires_grad_() for each in at]
        return torch.autograd.grad(f(*inputs), inputs, above, allow_unused=True, materialize_grads=True)
