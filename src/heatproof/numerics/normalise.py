"""Rescaling of maps, by name. Every function is explicit about sign and clipping, and works per sample."""

import torch
from jaxtyping import Float
from torch import Tensor


def percentile_scale(maps: Float[Tensor, "b *shape"], top: float = 99.0) -> Float[Tensor, "b *shape"]:
    """|map| scaled to [0, 1] between its minimum and its `top` percentile (linear interpolation), clipped above.

    Where percentile and minimum are equal up to rounding, the limit of the formula is taken: 1 above the minimum, 0 at it. So a
    constant map becomes 0 everywhere, never NaN, and its rounding errors are not blown up to a texture.
    """
    flat = maps.abs().flatten(1)
    low = flat.amin(1, keepdim=True)
    high = torch.quantile(flat, top / 100, dim=1, keepdim=True)
    above = flat - low
    span = high - low
    rounding = 32 * torch.finfo(flat.dtype).eps * flat.amax(1, keepdim=True)
    scaled = torch.where(
        span > rounding, above / span.where(span > rounding, torch.ones_like(span)), (above > rounding).to(flat.dtype)
    )
    return scaled.clamp(0, 1).view_as(maps)


def symmetric_scale(maps: Float[Tensor, "b *shape"], top: float = 100.0) -> Float[Tensor, "b *shape"]:
    """Signed map divided by the `top` percentile of its absolute value; 0 stays 0, nothing is clipped. Zero maps stay zero."""
    limit = torch.quantile(maps.abs().flatten(1), top / 100, dim=1)
    limit = torch.where(limit > 0, limit, torch.ones_like(limit))
    return maps / limit.view(-1, *[1] * (maps.ndim - 1))
