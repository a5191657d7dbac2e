"""Where the mass of a map lies."""

import torch
from jaxtyping import Float
from torch import Tensor


def centre_of_mass(maps: Float[Tensor, "b h w"]) -> Float[Tensor, "b 2"]:
    """Row and column of the centre of mass of maps without negative values, from 0; NaN of an empty map."""
    rows, columns = (torch.arange(size).to(maps) for size in maps.shape[1:])
    total = maps.sum((1, 2))
    return torch.stack([(maps.sum(2) * rows).sum(1) / total, (maps.sum(1) * columns).sum(1) / total], dim=1)
