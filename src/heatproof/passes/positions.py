"""Where on its path an image is probed: more often where its gradients have been large.

    α = Q⁻¹(u),    weight 1 / q(α),    q_i = (1 − s) σ_i / mean σ + s in cell i of [0, 1]
    σ_i² = (Σ ‖t‖² + mean) / (n_i + 1)    over the n_i rows of the image so far in cell i

t the row before it is weighed, Q the integral of q, s a share that is spread evenly, so that no weight exceeds 1 / s. For given
cells the variance of a mean is least if rows are shared out by σ_i (Neyman 1934). What q is built on is over before q is used: each
row is unbiased, whatever q is. One row of average size stands in every cell, so that a cell nobody saw is not forsaken.

Source: adaptive importance sampling: Owen & Zhou, "Safe and effective importance sampling", JASA 95, 2000 (the even share); Neyman,
"On the two different aspects of the representative method", 1934.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.core.seeds import Key

CELLS = 10
EVEN = 0.1
"""Share s of the rows that is spread evenly."""


class Positions:
    """A density for each image, renewed at the start of a stretch of draws. An image is known by its key."""

    def __init__(self) -> None:
        self._squares: dict[Key, Tensor] = {}
        self._rows: dict[Key, Tensor] = {}
        self._density: dict[Key, Tensor] = {}

    def renew(self) -> None:
        """Take what was learned into the densities."""
        for key, squares in self._squares.items():
            rows = self._rows[key]
            sigma = ((squares + squares.sum() / rows.sum()) / (rows + 1)).sqrt()
            if float(sigma.sum()) > 0:
                self._density[key] = (1 - EVEN) * sigma / sigma.mean() + EVEN

    def at(self, keys: Sequence[Key], u: Float[Tensor, " r"]) -> tuple[Float[Tensor, " r"], Float[Tensor, " r"]]:
        """Positions α = Q⁻¹(u), and their densities q(α)."""
        density = torch.stack([self._density.get(key, torch.ones(CELLS, dtype=torch.float64)) for key in keys])
        ends = density.cumsum(1) / CELLS
        cell = (u.double().cpu()[:, None] >= ends).sum(1, keepdim=True).clamp(max=CELLS - 1)
        own = density.gather(1, cell)
        alpha = (cell + 1) / CELLS - (ends.gather(1, cell) - u.double().cpu()[:, None]) / own
        return alpha[:, 0].to(u), own[:, 0].to(u)

    def learn(self, keys: Sequence[Key], alpha: Float[Tensor, " r"], sizes: Float[Tensor, " r"]) -> None:
        """Rows at these positions had these lengths."""
        cells: Int[Tensor, " r"] = (alpha.double().cpu() * CELLS).long().clamp(0, CELLS - 1)
        for key, cell, size in zip(keys, cells.tolist(), sizes.double().tolist(), strict=True):
            if key not in self._squares:
                self._squares[key], self._rows[key] = torch.zeros(2, CELLS, dtype=torch.float64)
            self._squares[key][cell] += size**2
            self._rows[key][cell] += 1
