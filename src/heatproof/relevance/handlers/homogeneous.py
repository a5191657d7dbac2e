"""Sizes of a set of values: norms, standard deviations, variances; and sums of patches that overlap.

    y = m(x), m(c x) = c^d m(x):    R_in = x ⊙ ∂y/∂x · R / (d y)

d is the degree, so that Euler's theorem, Σ x_i ∂y/∂x_i = d y, keeps all relevance; where y = 0 so is x, or what varies of it, and
nothing passes.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from heatproof.numerics.average_jacobian import SMOOTH

if TYPE_CHECKING:
    from heatproof.relevance.interceptor import Interceptor

T = Tensor


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


_FIRST = (T.norm, torch.norm, torch.linalg.norm, torch.linalg.vector_norm, T.std, torch.std, F.fold)
HANDLERS = {
    **dict.fromkeys(_FIRST, partial(measure, degree=1)),
    **dict.fromkeys((T.var, torch.var), partial(measure, degree=2)),
}
