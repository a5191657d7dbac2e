"""Average total variation: ATV(S) = (Σ|S_{i,j+1} − S_{i,j}| + Σ|S_{i+1,j} − S_{i,j}|) / (h w); a pair of neighbours counts once."""

from jaxtyping import Float
from torch import Tensor


def average_total_variation(maps: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
    """Per-sample ATV, summed over channels, with p = 1 (eq. 12 of Goh et al., ICPR 2020)."""
    horizontal = (maps[..., 1:] - maps[..., :-1]).abs().sum((1, 2, 3))
    vertical = (maps[..., 1:, :] - maps[..., :-1, :]).abs().sum((1, 2, 3))
    return (horizontal + vertical) / (maps.shape[-2] * maps.shape[-1])
