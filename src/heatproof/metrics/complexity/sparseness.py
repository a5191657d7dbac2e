"""Sparseness: the Gini index of a map's magnitudes.

    G = Σ_i (2 i − n − 1) a_i / (n Σ_i a_i),    a_1 ≤ … ≤ a_n the values of |A| in order

A the Σ_channels map. 0 if all magnitudes are equal, 1 − 1/n if one pixel holds everything. It says nothing about where.

Cost: none. Source: Gini 1912; Chalasani, Chen, Chowdhury, Jha & Wu, "Concise explanations of neural networks using adversarial
training", ICML 2020 (of maps).
"""

from typing import ClassVar

import torch
from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.metrics.base import MapMetric, Scores


class Sparseness(MapMetric):
    """Gini index of the magnitudes of the map's pixels."""

    label: ClassVar[str] = "sparseness"
    meaning: ClassVar[str] = "Gini index of the map's magnitudes: 0 = all equal, near 1 = few pixels hold all; not how true it is."
    better: ClassVar[Direction] = Direction.HIGHER
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    reduction: ClassVar[Reduction] = Reduction.SUM
    scale_invariant: ClassVar[bool] = True
    cite: ClassVar[str] = "Gini 1912; Chalasani et al., ICML 2020"

    def measure(self, maps: Tensor) -> Scores:
        ordered = maps.flatten(1).double().abs().sort(dim=1).values
        n = ordered.shape[1]
        weight = torch.arange(1 - n, n, 2, dtype=torch.float64, device=maps.device)
        index = (ordered @ weight / (n * ordered.sum(1))).clamp(0, 1)
        return Scores.of(index.to(maps.dtype), missing="the map is zero everywhere, so no pixel holds a share of it")
