"""Measures of the size of a set of values: norms, standard deviations, variances; and sums of patches that overlap.

    y = m(x), m(c x) = c^d m(x):    R_in = x ⊙ ∂y/∂x · R / (d y)

d is the degree of the homogeneous function m. Euler's theorem, Σ x_i ∂y/∂x_i = d y, makes the rule conserve all relevance. Where
y = 0, x is 0 too, or does not vary, and no relevance passes.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from heatproof.numerics.average_jacobian import SMOOTH
from heatproof.relevance.handler_context import HandlerContext
from heatproof.tracing.catalogue import NORMS, OVERLAPPING_SUMS, VARIANCES


def measure(context: HandlerContext, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], degree: int) -> Tensor:
    """A homogeneous function of one tensor. Where gradients flow back, there is no rule."""
    if not context.composite.relevance:
        return context.differentiate(SMOOTH, func, args, kwargs)
    given = dict(kwargs)
    x, *rest = args if args else (given.pop("input"),)

    def back(inputs: Sequence[Tensor], y: Tensor, above: Tensor) -> list[Tensor]:
        with torch.enable_grad():
            at = inputs[0].detach().requires_grad_()
            shares = torch.where(y != 0, above / (degree * y), 0.0)
            (gradient,) = torch.autograd.grad(func(at, *rest, **given), at, shares)
        return [inputs[0] * gradient]

    return context.apply_rule(func.__name__, lambda: func(x, *rest, **given), back, [x])


HANDLERS = {
    **dict.fromkeys((*NORMS, *OVERLAPPING_SUMS), partial(measure, degree=1)),
    **dict.fromkeys(VARIANCES, partial(measure, degree=2)),
}
