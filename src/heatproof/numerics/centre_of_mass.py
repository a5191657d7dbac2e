"""The centre of mass of a map."""

import torch
from jaxtyping import Float
from torch import Tensor


def centre_of_mass(maps: Float[Tensor, "b h w"]) -> Float[Tensor, "b 2"]:
    """The row and column, from 0, of the centre of mass of maps without negative values; NaN for a map that is zero everywhere.

    >>> import torch
    >>> from heatproof.numerics.centre_of_mass import centre_of_mass
    >>> maps = torch.zeros(1, 28, 28)
    >>> maps[0, 4, 10] = maps[0, 8, 10] = 1
    >>> centre_of_mass(maps)
    tensor([[ 6., 10.]])
    """
    rows, columns = (torch.arange(size).to(maps) for size in maps.shape[1:])
    total = maps.sum((1, 2))
    return torch.stack([(maps.sum(2) * rows).sum(1) / total, (maps.sum(1) * columns).sum(1) / total], dim=1)
