"""Adaptive importance sampling of positions on a path: more probes where an image's gradients have been large.

    α = Q⁻¹(u),    weight 1 / q(α),    q_i = (1 − s) σ_i / mean σ + s in cell i of [0, 1]
    σ_i² = (Σ ‖t‖² + mean) / (n_i + 1)    over the n_i probes of the image so far in cell i

α is a position, u a uniform random number, q the density of the positions and Q its integral, t the gradient term of a probe before
its weight 1 / q, mean the mean of ‖t‖² over the image's probes so far, and s the share of probes that is spread evenly, so that no
weight exceeds 1 / s. For given cells, the variance of a mean is smallest if probes are allocated to cells in proportion to σ_i
(Neyman 1934). The density uses only probes that were finished before it is used, so each probe is unbiased, whatever the density.
Adding one probe of average size to every cell keeps a positive density in cells without probes.

Source: adaptive importance sampling: Owen & Zhou, "Safe and effective importance sampling", JASA 95, 2000 (the even share); Neyman,
"On the two different aspects of the representative method", 1934.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.core.seeds import Key

CELLS = 10
"""The number of cells of [0, 1]."""
EVEN = 0.1
"""The share s of the probes that is spread evenly."""


class PathDensity:
    """The density of probe positions of each image, updated between rounds of draws. An image is identified by its key."""

    def __init__(self) -> None:
        self._squares: dict[Key, Tensor] = {}
        self._counts: dict[Key, Tensor] = {}
        self._density: dict[Key, Tensor] = {}

    def renew(self) -> None:
        """Update the densities with all norms so far."""
        for key, squares in self._squares.items():
            counts = self._counts[key]
            sigma = ((squares + squares.sum() / counts.sum()) / (counts + 1)).sqrt()
            if float(sigma.sum()) > 0:
                self._density[key] = (1 - EVEN) * sigma / sigma.mean() + EVEN

    def at(self, keys: Sequence[Key], u: Float[Tensor, " r"]) -> tuple[Float[Tensor, " r"], Float[Tensor, " r"]]:
        """Positions and their densities, one for each image of a chunk.

        Args:
            keys: The images' keys.
            u: Uniform random numbers `[r]` in [0, 1).

        Returns:
            The positions α = Q⁻¹(u) and the densities q(α), `[r]` each.
        """
        density = torch.stack([self._density.get(key, torch.ones(CELLS, dtype=torch.float64)) for key in keys])
        ends = density.cumsum(1) / CELLS
        cell = (u.double().cpu()[:, None] >= ends).sum(1, keepdim=True).clamp(max=CELLS - 1)
        own = density.gather(1, cell)
        alpha = (cell + 1) / CELLS - (ends.gather(1, cell) - u.double().cpu()[:, None]) / own
        return alpha[:, 0].to(u), own[:, 0].to(u)

    def learn(self, keys: Sequence[Key], alpha: Float[Tensor, " r"], sizes: Float[Tensor, " r"]) -> None:
        """Take note of the norms of gradient terms.

        Args:
            keys: The keys of the images.
            alpha: The positions `[r]` of the probes.
            sizes: The norms ‖t‖ `[r]`.
        """
        cells: Int[Tensor, " r"] = (alpha.double().cpu() * CELLS).long().clamp(0, CELLS - 1)
        for key, cell, size in zip(keys, cells.tolist(), sizes.double().tolist(), strict=True):
            if key not in self._squares:
                self._squares[key], self._counts[key] = torch.zeros(2, CELLS, dtype=torch.float64)
            self._squares[key][cell] += size**2
            self._counts[key][cell] += 1
