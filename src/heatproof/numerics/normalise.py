"""Rescaling of maps, sample by sample. The name of each function says how sign and clipping are treated."""

import torch
from jaxtyping import Float
from torch import Tensor

from heatproof.numerics.quantile import quantile


def percentile_scale(maps: Float[Tensor, "b *shape"], top: float = 99.0) -> Float[Tensor, "b *shape"]:
    """|map| scaled to [0, 1] between its minimum and its `top` percentile (by linear interpolation), and clipped above.

    Where the percentile equals the minimum up to rounding, as in a map with few values that are not zero, the maximum takes its
    place. A map that is constant up to rounding becomes 0 everywhere, never NaN, and its rounding errors are not amplified.

    >>> import torch
    >>> from heatproof.numerics.normalise import percentile_scale
    >>> percentile_scale(torch.tensor([[-4.0, 0.0, 2.0]]), top=100)
    tensor([[1.0000, 0.0000, 0.5000]])
    """
    flat = maps.abs().flatten(1)
    low = flat.amin(1, keepdim=True)
    span = _limit(flat - low, top, flat.amax(1, keepdim=True))
    return ((flat - low) / span).clamp(0, 1).view_as(maps)


def symmetric_scale(maps: Float[Tensor, "b *shape"], top: float = 100.0) -> Float[Tensor, "b *shape"]:
    """The signed map divided by the `top` percentile of its absolute value. Zero stays zero, and nothing is clipped.

    Where the percentile is zero up to rounding, as in a map with few values that are not zero, the maximum takes its place.

    >>> import torch
    >>> from heatproof.numerics.normalise import symmetric_scale
    >>> symmetric_scale(torch.tensor([[-4.0, 0.0, 2.0]]))
    tensor([[-1.0000,  0.0000,  0.5000]])
    >>> symmetric_scale(torch.tensor([[-4.0, 0.0, 0.0, 0.0]]), top=50)
    tensor([[-1.,  0.,  0.,  0.]])
    """
    flat = maps.abs().flatten(1)
    limit = _limit(flat, top, flat.amax(1, keepdim=True))
    return maps / limit.view(-1, *[1] * (maps.ndim - 1))


def _limit(sizes: Float[Tensor, "b n"], top: float, largest: Float[Tensor, "b 1"]) -> Float[Tensor, "b 1"]:
    """The percentile of the sizes, or their maximum where that is rounding of `largest`, or infinity where both are."""
    rounding = 32 * torch.finfo(sizes.dtype).eps * largest
    limit = quantile(sizes, top / 100)[:, None]
    limit = torch.where(limit > rounding, limit, sizes.amax(1, keepdim=True))
    return torch.where(limit > rounding, limit, torch.inf)
