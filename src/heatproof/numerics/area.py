"""The area under a curve sampled at 0, 1, …, n−1.

    area = Σ_i w_i y_i,   Σ_i w_i = n − 1

`trapezoid` is the trapezoidal rule (1/2, 1, …, 1, 1/2). `simpson` is the composite Simpson rule. For an even number of points it is
the mean of two variants, which leave the first or the last interval to the trapezoid, as the published figures used it (6 points:
5/12, 13/12, 1, 1, 13/12, 5/12).
"""

from functools import lru_cache
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

AreaRule = Literal["simpson", "trapezoid"]


@lru_cache
def _weights(n: int, rule: AreaRule) -> tuple[float, ...]:
    if n == 1:
        return (0.0,)
    if rule == "trapezoid" or n == 2:
        return (0.5, *[1.0] * (n - 2), 0.5)
    if n % 2:
        return (1 / 3, *[4 / 3 if i % 2 else 2 / 3 for i in range(1, n - 1)], 1 / 3)
    odd = _weights(n - 1, rule)
    first, last = [0.5, 0.5, *[0.0] * (n - 2)], [*[0.0] * (n - 2), 0.5, 0.5]
    return tuple((a + b + c + d) / 2 for a, b, c, d in zip(first, [0.0, *odd], [*odd, 0.0], last, strict=True))


def area_weights(n: int, rule: AreaRule) -> Float[Tensor, " n"]:
    """The weights of the rule for n points, in float64; they sum to n − 1."""
    return torch.tensor(_weights(n, rule), dtype=torch.float64)


def area(curve: Float[Tensor, "b n"], rule: AreaRule = "simpson") -> Float[Tensor, " b"]:
    """The area under each curve, over an axis of length n − 1.

    >>> import torch
    >>> from heatproof.numerics.area import area
    >>> area(torch.tensor([[0.0, 1.0, 4.0]]), "simpson"), area(torch.tensor([[0.0, 1.0, 4.0]]), "trapezoid")
    (tensor([2.6667]), tensor([3.]))
    """
    return (curve.double() @ area_weights(curve.shape[1], rule).to(curve.device)).to(curve.dtype)
