"""Random masks that are smooth: a coarse grid of random cells, interpolated linearly and shifted at random.

    m = crop of U(g) at a random place,    g_c ~ Bernoulli(p) for the s cells along each axis

U interpolates linearly to (s + 1) cells of ⌈n / s⌉ places along an axis of n places; the crop begins anywhere in the first cell.

Source: Petsiuk, Das & Saenko, "RISE: randomized input sampling for explanation of black-box models", BMVC 2018.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from heatproof.perturb.draws import Draws

STREAM = "soft grid"


@dataclass(frozen=True)
class SoftGrid:
    """Masks over axes of the given lengths. The values of each mask lie in [0, 1] and are p in the mean, at every place.

    lengths  the number of places along each axis.
    cells    the number of cells s along each axis; an axis of fewer places has a cell for each, and is not interpolated.
    share    the probability p with which a cell is 1.

    >>> import torch
    >>> from heatproof.perturb.draws import Draws
    >>> from heatproof.perturb.masks.soft_grid import SoftGrid
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> masks = SoftGrid((28, 28), cells=4, share=0.5)(Draws.for_images(0, images), [0, 1])
    >>> masks.shape, 0 <= masks.min() and masks.max() <= 1
    (torch.Size([2, 28, 28]), tensor(True))
    """

    lengths: tuple[int, ...]
    cells: int
    share: float

    def __call__(self, draws: Draws, k: Sequence[int]) -> Float[Tensor, "r *axes"]:
        """Mask `k[r]` of each image; the masks of an image are independent of each other."""
        shape = [len(each[0]) for each in self._weights]
        total = torch.Size(shape).numel()
        uniform = draws.on_cpu().uniform(STREAM, k, (total + len(shape),)).to(draws.device)
        masks = (uniform[:, :total] < self.share).to(uniform).view(-1, *shape)
        for axis, weights in enumerate(self._weights, 1):
            n = self.lengths[axis - 1]
            shift = (uniform[:, total + axis - 1] * self.cell(n)).long()
            rows = weights.to(uniform.device)[shift[:, None] + torch.arange(n, device=uniform.device)]  # [r, n, cells]
            masks = torch.einsum("rnc,rc...->rn...", rows, masks.movedim(axis, 1)).movedim(1, axis)
        return masks.to(draws.dtype)

    @cached_property
    def _weights(self) -> list[Float[Tensor, "places cells"]]:
        """Of each axis, the weight of each cell at each place before the crop."""
        return [self.weights(n) for n in self.lengths]

    def cell(self, n: int) -> int:
        """The number of places of a cell along an axis of n places."""
        return max(1, -(-n // self.cells))

    def weights(self, n: int) -> Float[Tensor, "places cells"]:
        """The weight of each cell at each place of an axis of n places before the crop."""
        if n <= self.cells:
            return torch.eye(n, dtype=torch.float32)
        places, cells = (self.cells + 1) * self.cell(n), torch.eye(self.cells, dtype=torch.float32)
        return F.interpolate(cells[None], size=places, mode="linear", align_corners=False)[0].T.contiguous()
