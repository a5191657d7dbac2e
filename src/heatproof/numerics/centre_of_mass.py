"""The centre of mass of a map."""

import torch
from jaxtyping import Float
from torch import Tensor


def centre_of_mass(maps: Float[Tensor, "b *space"]) -> Float[Tensor, "b axes"]:
    """The position along each axis, such as row and column, from 0, of the centre of mass of maps without negative values.

    NaN for a map that is zero everywhere.

    >>> import torch
    >>> from heatproof.numerics.centre_of_mass import centre_of_mass
    >>> maps = torch.zeros(1, 28, 28)
    >>> maps[0, 4, 10] = maps[0, 8, 10] = 1
    >>> centre_of_mass(maps)
    tensor([[ 6., 10.]])
    """
    axes = range(1, maps.ndim)
    total = maps.sum(tuple(axes))
    along = [maps.sum(others) if (others := tuple(each for each in axes if each != axis)) else maps for axis in axes]
    return torch.stack([(mass * torch.arange(mass.shape[1]).to(maps)).sum(1) / total for mass in along], dim=1)
