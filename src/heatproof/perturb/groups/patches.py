"""Square patches: k × k pixels of an image, k × k × k voxels of a volume, k times of a signal."""

import torch
from jaxtyping import Int
from pydantic import PositiveInt
from torch import Tensor

from heatproof.perturb.groups.base import RegularGroups


class Patches(RegularGroups):
    """Patches of one size, from the first row and column on; the last ones are smaller where the size divides no axis.

    side      the number k of places of a patch along each axis.
    channels  whether all channels of a place are in one group (together), or each channel has patches of its own (each).

    >>> import torch
    >>> from heatproof.models import Bounds
    >>> from heatproof.perturb.draws import Draws
    >>> from heatproof.perturb.groups import Patches
    >>> signals = torch.rand(1, 2, 7)
    >>> Patches(side=3)(signals, Bounds.of(0, 1, 2), Draws.for_images(0, signals)).ids
    tensor([[[0, 0, 0, 1, 1, 1, 2]]])
    """

    side: PositiveInt = 16

    def cells(self, n: int) -> Int[Tensor, " n"]:
        return torch.arange(n) // self.side
