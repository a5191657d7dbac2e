"""Sparseness: the Gini index of the magnitudes of a map.

    G = Σ_i (2 i − n − 1) a_i / (n Σ_i a_i)

A is the sum of the map over channels, n is the number of pixels, and a_1 ≤ … ≤ a_n are the values of |A| in order. The index is 0
if all magnitudes are equal, and 1 − 1/n if one pixel holds the whole mass. It does not depend on where the pixels lie.

Cost: no passes. Source: Gini, "Variabilità e mutabilità", 1912; for maps: Chalasani, Chen, Chowdhury, Jha & Wu, "Concise
explanations of neural networks using adversarial training", ICML 2020.
"""

from typing import ClassVar

import torch
from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.metrics.base import MapMetric
from heatproof.metrics.scores import Scores


class Sparseness(MapMetric):
    """Gini index of the magnitudes of the map's pixels.

    >>> import torch
    >>> from heatproof.metrics import Sparseness
    >>> maps = torch.zeros(2, 1, 8, 8)
    >>> maps[0] = 1.0
    >>> maps[1, 0, 3, 4] = 1.0
    >>> Sparseness().score(maps).values
    tensor([0.0000, 0.9844])
    """

    label: ClassVar[str] = "sparseness"
    meaning: ClassVar[str] = "Gini index of the map's magnitudes: 0 = all pixels equal, near 1 = few pixels hold the whole mass."
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
        return Scores.of(index.to(maps.dtype), missing="the map is zero everywhere, so that its sparseness is not defined")
