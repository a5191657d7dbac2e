"""A grid of equal numbers of cells along each axis, whatever the size of the input."""

import torch
from jaxtyping import Int
from pydantic import Field
from torch import Tensor

from heatproof.perturb.groups.base import RegularGroups


class RegularGrid(RegularGroups):
    """As many cells along each axis, whose sizes differ by one place at most. An axis of fewer places has a cell for each.

    cells_per_axis  the number of cells along each axis; 7 × 7 is usual for small images.
    channels        whether all channels of a place are in one group (together), or each channel has cells of its own (each).

    >>> import torch
    >>> from heatproof.models import Bounds
    >>> from heatproof.perturb.draws import Draws
    >>> from heatproof.perturb.groups import RegularGrid
    >>> images = torch.rand(1, 3, 2, 6)
    >>> RegularGrid(cells_per_axis=3)(images, Bounds.of(0, 1, 3), Draws.for_images(0, images)).ids
    tensor([[[[0, 0, 1, 1, 2, 2],
              [3, 3, 4, 4, 5, 5]]]])
    """

    cells_per_axis: int = Field(default=7, ge=1)

    def cells(self, n: int) -> Int[Tensor, " n"]:
        return torch.arange(n) * min(self.cells_per_axis, n) // n
