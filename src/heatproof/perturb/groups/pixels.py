"""Every place a group of its own: a pixel, a voxel, a time of a signal, a column of a table."""

import torch
from jaxtyping import Int
from torch import Tensor

from heatproof.perturb.groups.base import RegularGroups


class Pixels(RegularGroups):
    """One group for each place.

    channels  whether all channels of a place are in one group (together), or each value is a group (each).

    >>> import torch
    >>> from heatproof.models import Bounds
    >>> from heatproof.perturb.draws import Draws
    >>> from heatproof.perturb.groups import Pixels
    >>> table = torch.rand(2, 5)
    >>> Pixels()(table, Bounds.of(0, 1, 5), Draws.for_images(0, table)).ids
    tensor([[0, 1, 2, 3, 4],
            [0, 1, 2, 3, 4]])
    """

    def cells(self, n: int) -> Int[Tensor, " n"]:
        return torch.arange(n)
