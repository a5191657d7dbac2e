"""Average total variation: ATV(S) = (Σ|S_{i,j+1} − S_{i,j}| + Σ|S_{i+1,j} − S_{i,j}|) / (h w). Each pair of neighbours counts once.

Source: Goh et al., "Understanding integrated gradients with SmoothTaylor for deep neural network attribution", ICPR 2020, eq. 12.
"""

from jaxtyping import Float
from torch import Tensor

from heatproof.numerics.wide import wide


def average_total_variation(maps: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
    """The average total variation of each map with exponent p = 1, summed over channels; in float32 for maps in half precision.

    >>> import torch
    >>> from heatproof.numerics.total_variation import average_total_variation
    >>> average_total_variation(torch.tensor([[0.0, 1.0], [0.0, 1.0]]).view(1, 1, 2, 2))
    tensor([0.5000])
    """
    maps = wide(maps)
    horizontal = (maps[..., 1:] - maps[..., :-1]).abs().sum((1, 2, 3))
    vertical = (maps[..., 1:, :] - maps[..., :-1, :]).abs().sum((1, 2, 3))
    return (horizontal + vertical) / (maps.shape[-2] * maps.shape[-1])
