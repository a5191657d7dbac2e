"""Average total variation: ATV(S) = (Σ|S_{i,j+1} − S_{i,j}| + Σ|S_{i+1,j} − S_{i,j}|) / (h w). Each pair of neighbours counts once.

A signal has one such sum, over pairs of consecutive times, and a volume has three; they are divided by the number of places.

Source: Goh et al., "Understanding integrated gradients with SmoothTaylor for deep neural network attribution", ICPR 2020, eq. 12.
"""

from math import prod

from jaxtyping import Float
from torch import Tensor

from heatproof.numerics.wide import wide


def average_total_variation(maps: Float[Tensor, "b c *space"]) -> Float[Tensor, " b"]:
    """The average total variation of each map with exponent p = 1, summed over channels; in float32 for maps in half precision.

    >>> import torch
    >>> from heatproof.numerics.total_variation import average_total_variation
    >>> average_total_variation(torch.tensor([[0.0, 1.0], [0.0, 1.0]]).view(1, 1, 2, 2))
    tensor([0.5000])
    """
    maps = wide(maps)
    total = maps.new_zeros(len(maps))
    for axis in range(maps.ndim - 1, 1, -1):
        total = total + maps.diff(dim=axis).abs().sum(tuple(range(1, maps.ndim)))
    return total / prod(maps.shape[2:])
