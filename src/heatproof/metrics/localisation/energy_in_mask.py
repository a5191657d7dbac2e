"""Energy in the mask: the share of the positive part of a map that lies on the object.

    E = Σ_(p ∈ object) max(A_p, 0) / Σ_p max(A_p, 0)

A is the sum of the map over channels, and p is a pixel. A constant positive map scores `chance`, the share of the image that the
object covers. A map that lies on the object need not show what the network uses, and a map that lies beside the object may show it:
networks use the surroundings of objects.

Cost: no passes. Source: Wang et al., "Score-CAM: score-weighted visual explanations for convolutional neural networks", CVPR
workshops 2020, energy-based pointing game.
Differs from the paper because the region may have any shape rather than one box; because large objects are not left out, since
`chance` shows what a score on them is worth; and because only the positive part counts, which for the paper's maps, taken after a
ReLU, is the whole map.
"""

from typing import ClassVar

from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.metrics.base import RegionMetric
from heatproof.metrics.scores import Scores


class EnergyInMask(RegionMetric):
    """Share of the positive part of the map that lies inside the region of the object.

    >>> import torch
    >>> from heatproof.metrics import EnergyInMask
    >>> region = torch.zeros(1, 8, 8)
    >>> region[0, :2] = 1
    >>> maps = torch.ones(1, 1, 8, 8)
    >>> maps[0, 0, :2] = 3.0
    >>> EnergyInMask().score(maps, region).values
    tensor([0.5000])
    """

    label: ClassVar[str] = "energy"
    meaning: ClassVar[str] = "Share of the map's positive part that lies on the object."
    better: ClassVar[Direction] = Direction.HIGHER
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    reduction: ClassVar[Reduction] = Reduction.SUM
    scale_invariant: ClassVar[bool] = True
    cite: ClassVar[str] = "Wang et al., CVPR workshops 2020"

    def measure(self, maps: Tensor, hits: Tensor) -> Scores:
        positive = maps.flatten(1).double().clamp(min=0)
        share = (positive * hits.flatten(1)).sum(1) / positive.sum(1)
        return Scores.of(share.to(maps.dtype), missing="no value of the map is positive")
