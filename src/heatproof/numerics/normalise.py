"""Rescaling of maps, sample by sample. The name of each function says how sign and clipping are treated."""

import torch
from jaxtyping import Float
from torch import Tensor

from heatproof.numerics.quantile import quantile


def percentile_scale(maps: Float[Tensor, "b *shape"], top: float = 99.0) -> Float[Tensor, "b *shape"]:
    """|map| scaled to [0, 1] between its minimum and its `top` percentile (by linear interpolation), and clipped above.

    Where the percentile equals the minimum up to rounding, the limit of the formula is taken: 1 above the minimum and 0 at it. So a
    constant map becomes 0 everywhere, never NaN, and its rounding errors are not amplified to a texture.

    >>> import torch
    >>> from heatproof.numerics.normalise import percentile_scale
    >>> percentile_scale(torch.tensor([[-4.0, 0.0, 2.0]]), top=100)
    tensor([[1.0000, 0.0000, 0.5000]])
    """
    flat = maps.abs().flatten(1)
    low = flat.amin(1, keepdim=True)
    high = quantile(flat, top / 100)[:, None]
    above = flat - low
    span = high - low
    rounding = 32 * torch.finfo(flat.dtype).eps * flat.amax(1, keepdim=True)
    scaled = torch.where(
        span > rounding, above / span.where(span > rounding, torch.ones_like(span)), (above > rounding).to(flat.dtype)
    )
    return scaled.clamp(0, 1).view_as(maps)


def symmetric_scale(maps: Float[Tensor, "b *shape"], top: float = 100.0) -> Float[Tensor, "b *shape"]:
    """The signed map divided by the `top` percentile of its absolute value. Zero stays zero, and nothing is clipped.

    >>> import torch
    >>> from heatproof.numerics.normalise import symmetric_scale
    >>> symmetric_scale(torch.tensor([[-4.0, 0.0, 2.0]]))
    tensor([[-1.0000,  0.0000,  0.5000]])
    """
    limit = quantile(maps.abs().flatten(1), top / 100)
    limit = torch.where(limit > 0, limit, torch.ones_like(limit))
    return maps / limit.view(-1, *[1] * (maps.ndim - 1))
