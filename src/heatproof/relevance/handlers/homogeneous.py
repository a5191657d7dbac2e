"""Sizes of a set of values: norms, standard deviations, variances; and sums of patches that overlap.

    y = m(x), m(c x) = c^d m(x):    R_in = x ⊙ ∂y/∂x · R / (d y)

d is the degree, so that Euler's theorem, Σ x_i ∂y/∂x_i = d y, keeps all relevance; where y = 0 so is x, or what varies of it, and
nothing passes.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from heatproof.numerics.secants import SMOOTH
from heatproof.tracing.catalogue import NORMS, OVERLAPPING_SUMS, VARIANCES

if TYPE_CHECKING:
    from heatproof.relevance.interceptor import Interceptor


def measure(
    interceptor: "Interceptor", func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], degree: int
) -> Tensor:
    """A homogeneous function of one tensor; among gradients there is no rule."""
    if not interceptor.composite.relevance:
        return interceptor.differentiate(SMOOTH, func, args, kwargs)
    given = dict(kwargs)
    x, *rest = args if args else (given.pop("input"),)

    def back(inputs: Sequence[Tensor], y: Tensor, above: Tensor) -> list[Tensor]:
        with torch.enable_grad():
            at = inputs[0].detach().requires_grad_()
            shares = torch.where(y != 0, above / (degree * y), 0.0)
            (found,) = torch.autograd.grad(func(at, *rest, **given), at, shares)
        return [inputs[0] * found]

    return interceptor.ruled(func.__name__, lambda: func(x, *rest, **given), back, [x])


HANDLERS = {
    **dict.fromkeys((*NORMS, *OVERLAPPING_SUMS), partial(measure, degree=1)),
    **dict.fromkeys(VARIANCES, partial(measure, degree=2)),
}
