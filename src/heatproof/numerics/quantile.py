"""Quantiles by linear interpolation, of any floating-point type and of any number of values.

`torch.quantile` refuses half precision and more than 2²⁴ values. Here values in half precision are interpolated in float32.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from heatproof.numerics.wide import wide


def quantile(values: Float[Tensor, "b n"], share: float) -> Float[Tensor, " b"]:
    """The value below which that share of each sample lies, `[b]`, in the type of the values.

    >>> import torch
    >>> from heatproof.numerics.quantile import quantile
    >>> quantile(torch.tensor([[4.0, 1.0, 2.0]], dtype=torch.bfloat16), 0.75)
    tensor([3.], dtype=torch.bfloat16)
    """
    rank = share * (values.shape[1] - 1)
    below = int(rank)
    ordered = values.sort(dim=1).values
    low, high = (wide(ordered[:, min(at, values.shape[1] - 1)]) for at in (below, below + 1))
    return torch.lerp(low, high, rank - below).to(values.dtype)
