"""Relevance mass accuracy: the share of the magnitude of a map that lies on the object.

    RMA = Σ_(p ∈ object) R_p / Σ_p R_p,    R_p = (Σ_c A_pc²)^(q/2)

A_pc is the map at pixel p in channel c, and q is the exponent: R_p is the Euclidean norm of the channels for q = 1, and its square
for q = 2, which gives the largest values more weight. Both signs count, and channels of opposite sign do not cancel;
`energy_in_mask` counts the positive part of the sum over channels instead. A constant map scores `chance`, the share of the image
that the object covers. A map that lies on the object need not show what the network uses.

Cost: no passes. Source: Arras, Osman & Samek, "CLEVR-XAI: a benchmark dataset for the ground truth evaluation of neural network
explanations", Information Fusion 2022, whose poolings of the channels include both exponents.
Differs from the paper because the region is any mask; because a region that is empty or fills the image has no score, rather than
0 or 1.
"""

from typing import ClassVar

from pydantic import PositiveFloat
from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.metrics.base import RegionMetric
from heatproof.metrics.scores import Scores


class RelevanceMass(RegionMetric):
    """Share of the magnitude of the map that lies inside the region of the object.

    exponent  The power to which the magnitude of a place is raised: 2 for its square, 1 for itself (both: Arras et al., 2022).

    >>> import torch
    >>> from heatproof.metrics import RelevanceMass
    >>> region = torch.zeros(1, 8, 8)
    >>> region[0, :4] = 1
    >>> maps = torch.ones(1, 1, 8, 8)
    >>> maps[0, 0, :4] = -3.0
    >>> RelevanceMass().score(maps, region).values, RelevanceMass(exponent=1).score(maps, region).values
    (tensor([0.9000]), tensor([0.7500]))
    """

    label: ClassVar[str] = "mass accuracy"
    title: ClassVar[str] = "relevance mass accuracy"
    meaning: ClassVar[str] = "Share of the map's magnitude, of either sign, that lies on the object."
    better: ClassVar[Direction] = Direction.HIGHER
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    reduction: ClassVar[Reduction] = Reduction.L2
    scale_invariant: ClassVar[bool] = True
    cite: ClassVar[str] = "Arras et al. 2022"

    exponent: PositiveFloat = 2.0

    def measure(self, maps: Tensor, hits: Tensor) -> Scores:
        size = maps.flatten(1).double()
        mass = (size / size.amax(1, keepdim=True)) ** self.exponent  # NaN where the map is zero
        share = (mass * hits.flatten(1)).sum(1) / mass.sum(1)
        return Scores.of(share.to(maps.dtype), missing="the map is zero everywhere")
