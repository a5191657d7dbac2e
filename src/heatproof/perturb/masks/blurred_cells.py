"""Masks on a coarse grid and the masks of all pixels that they make: each pixel takes its cell's value, and the whole is blurred.

    U(m) = B_y m B_xᵀ,    B = (Gaussian blur along the axis) · (each pixel's cell)

Source: Fong & Vedaldi, "Interpretable explanations of black boxes by meaningful perturbation", ICCV 2017.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from heatproof.numerics.blur import gaussian_blur


@dataclass(frozen=True)
class BlurredCells:
    """Masks of pixels made of masks on a coarse grid; U is linear, and keeps a constant mask as it is.

    lengths  the height and width in pixels.
    cells    the number of cells along each axis; an axis of fewer pixels has a cell for each.
    sigma    the standard deviation of the blur, as a share of the shorter side.

    >>> import torch
    >>> from heatproof.perturb.masks.blurred_cells import BlurredCells
    >>> grid = BlurredCells((28, 20), cells=7, sigma=0.05)
    >>> pixels = grid.pixels(torch.ones(2, *grid.grid, dtype=torch.float64))
    >>> tuple(pixels.shape), bool(pixels.allclose(torch.ones_like(pixels)))
    ((2, 28, 20), True)
    """

    lengths: tuple[int, int]
    cells: int
    sigma: float

    @property
    def grid(self) -> tuple[int, int]:
        """The number of cells along each axis."""
        return min(self.lengths[0], self.cells), min(self.lengths[1], self.cells)

    def pixels(self, masks: Float[Tensor, "r i j"]) -> Float[Tensor, "r h w"]:
        """The masks of all pixels; differentiable."""
        down, across = (matrix.to(masks) for matrix in self._matrices)
        return torch.einsum("yi,rij,xj->ryx", down, masks, across)

    @cached_property
    def _matrices(self) -> tuple[Float[Tensor, "h i"], Float[Tensor, "w j"]]:
        down, across = (self._along(n, cells) for n, cells in zip(self.lengths, self.grid, strict=True))
        return down, across

    def _along(self, n: int, cells: int) -> Float[Tensor, "n cells"]:
        """The weight of each cell at each place of an axis."""
        place = torch.arange(n) * cells // n
        own = (place[:, None] == torch.arange(cells)).double()
        return gaussian_blur(own.T[None, :, :, None], self.sigma * min(self.lengths))[0, :, :, 0].T


def blurred_discs(lengths: tuple[int, int], radii: Sequence[float], sigma: float) -> Float[Tensor, "k h w"]:
    """Discs in the middle, 1 inside and blurred at the rim, in float64; a disc of radius 0 is empty.

    Args:
        lengths: the height and width in pixels.
        radii: the radius of each disc, as a share of the shorter side.
        sigma: the standard deviation of the blur, likewise.

    >>> from heatproof.perturb.masks.blurred_cells import blurred_discs
    >>> blurred_discs((9, 9), [0, 0.2, 2], sigma=0.05)[:, 4, 4].round(decimals=1)
    tensor([0., 1., 1.], dtype=torch.float64)
    """
    (h, w), short = lengths, min(lengths)
    y, x = torch.arange(h).double() - (h - 1) / 2, torch.arange(w).double() - (w - 1) / 2
    distance = (y[:, None].square() + x.square()).sqrt() / short
    discs = torch.stack([distance < radius for radius in radii]).double()
    return gaussian_blur(discs[:, None], sigma * short)[:, 0]
