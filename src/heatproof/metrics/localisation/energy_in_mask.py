"""Energy in the mask: the share of the map's positive part that lies on the object.

    E = Σ_{p ∈ object} max(A_p, 0) / Σ_p max(A_p, 0)

A the channel sum of the map. A constant map scores `chance`, the object's share of the image.

A map that lies on the object need not show what the network uses, and one that lies beside it may: networks use the surroundings.

Cost: none. Source: Wang et al., "Score-CAM: score-weighted visual explanations for convolutional neural networks", CVPR workshops
2020, energy-based pointing game.
Differs from the paper: any region, not one box alone; large objects are not left out, since `chance` says what they are worth;
only the positive part counts, which is all there is of the paper's maps, after their ReLU.
"""

from typing import ClassVar

from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.metrics.base import RegionMetric, Scores


class EnergyInMask(RegionMetric):
    """Share of the positive part of the map inside the region."""

    label: ClassVar[str] = "energy"
    meaning: ClassVar[str] = "Share of the map's positive part that lies on the object."
    better: ClassVar[Direction] = Direction.HIGHER
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    reduction: ClassVar[Reduction] = Reduction.SUM
    scale_invariant: ClassVar[bool] = True
    cite: ClassVar[str] = "Wang et al., CVPR workshops 2020"

    def measure(self, maps: Tensor, found: Tensor) -> Scores:
        positive = maps.flatten(1).double().clamp(min=0)
        share = (positive * found.flatten(1)).sum(1) / positive.sum(1)
        return Scores.of(share.to(maps.dtype), missing="the map is positive nowhere")
