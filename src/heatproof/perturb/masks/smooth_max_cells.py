"""Masks on a coarse grid and the masks of all pixels that they make: the smooth maximum over neighbours, each less with distance.

    p_u = S_v(k_uv m_v) / S_v(k_uv),    S_v(a_v) = Σ_v a_v e^(a_v / T) / Σ_v e^(a_v / T),    k_uv = e^(−‖u − v‖² / 2 σ²)

m the mask, u and v cells, T = 1/20; neighbours are cells no farther than 2 σ along each axis. p is interpolated linearly to pixels.
A single cell of 1 makes a smooth blob of width σ, so that what a mask holds is never smaller than that.

Source: Fong, Patrick & Vedaldi, "Understanding deep networks via extremal perturbations and smooth masks", ICCV 2019.
Differs from the paper because the maximum is taken on the coarse grid and then interpolated, and is divided by that of a mask of
ones, so that a mask of ones keeps the whole image (a blob may then exceed 1 a little, and is cut off there).
"""

from dataclasses import dataclass
from functools import cached_property
from math import ceil

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

TEMPERATURE = 1 / 20
REACH = 2
"""How many σ neighbours reach."""


@dataclass(frozen=True)
class SmoothMaxCells:
    """Masks of pixels made of masks on a coarse grid, by a smooth maximum.

    lengths  the height and width in pixels.
    cells    the number of cells along each axis; an axis of fewer pixels has a cell for each.
    sigma    σ, as a share of the shorter side.

    >>> import torch
    >>> from heatproof.perturb.masks.smooth_max_cells import SmoothMaxCells
    >>> grid = SmoothMaxCells((28, 28), cells=7, sigma=0.1)
    >>> masks = torch.zeros(2, *grid.grid, dtype=torch.float64)
    >>> masks[0, 3, 3], masks[1] = 1, 1
    >>> pixels = grid.pixels(masks)
    >>> pixels[0, 13, [1, 7, 13]].round(decimals=2), bool((pixels[1] - 1).abs().max() < 1e-12)
    (tensor([0.0000, 0.1200, 0.8400], dtype=torch.float64), True)
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
        smooth = (self._maximum(masks) / self._maximum(torch.ones_like(masks[:1]))).clamp(max=1)
        return torch.einsum("yi,rij,xj->ryx", down, smooth, across)

    def _maximum(self, masks: Float[Tensor, "r i j"]) -> Float[Tensor, "r i j"]:
        kernel = self._kernel.to(masks)
        reach = kernel.shape[0] // 2, kernel.shape[1] // 2
        near = F.unfold(masks[:, None], kernel_size=tuple(kernel.shape), padding=reach) * kernel.flatten()[:, None]
        return (near * (near / TEMPERATURE).softmax(1)).sum(1).view(masks.shape)

    @cached_property
    def _kernel(self) -> Float[Tensor, "i j"]:
        """The factors k of the neighbours of a cell; σ is a number of cells, another along each axis where cells are no squares."""
        axes = []
        for n, cells in zip(self.lengths, self.grid, strict=True):
            sigma = self.sigma * min(self.lengths) * cells / n
            reach = min(max(1, ceil(REACH * sigma)), cells - 1)
            axes.append((-(torch.arange(-reach, reach + 1).double() / sigma).square() / 2).exp())
        return axes[0][:, None] * axes[1]

    @cached_property
    def _matrices(self) -> tuple[Float[Tensor, "h i"], Float[Tensor, "w j"]]:
        down, across = (
            F.interpolate(torch.eye(cells, dtype=torch.float64)[None], size=n, mode="linear", align_corners=False)[0].T
            for n, cells in zip(self.lengths, self.grid, strict=True)
        )
        return down, across
