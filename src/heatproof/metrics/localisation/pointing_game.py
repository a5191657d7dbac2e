"""Pointing game: whether the highest point of a map lies on the object, or near it.

    hit = |{p ∈ M : d(p, object) ≤ t}| / |M|,    M = {p : A_p = max A}

A is the sum of the map over channels, p is a pixel, d is the distance in pixels, and t is the tolerance. Most maps have one
highest pixel, and the score is then 0 or 1. If several pixels tie, as in a constant map, the score is the share of them that hit:
the expected score of one of them chosen at random. `chance` is the score of a constant map. The mean of the score over images is
the published accuracy. A map that lies on the object need not show what the network uses, and a map that lies beside the object
may show it: networks use the surroundings of objects.

Cost: no passes. Source: Zhang et al., "Top-down neural attention by excitation backprop", IJCV 2018, with a tolerance of 15 pixels.
Differs from the paper because distances are measured in pixels of the map, so that 15 pixels are a larger share of a map of 224
pixels than of a photograph of 500; because a distance equal to the tolerance is a hit, so that a tolerance of 0 means the object
itself; because the mean is taken over images rather than over classes first; and because the maps of gradient methods are scored as
they are, signed, with their channels summed.
"""

from typing import ClassVar

from pydantic import NonNegativeInt
from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.metrics.base import RegionMetric
from heatproof.metrics.scores import Scores
from heatproof.numerics.dilate import dilate


class PointingGame(RegionMetric):
    """Whether the highest point of the map lies on the object.

    tolerance  The distance in pixels up to which a point beside the object counts as a hit. The columns of a table have no
               distance, so that only 0 will do for these.

    >>> import torch
    >>> from heatproof.metrics import PointingGame
    >>> region, maps = torch.zeros(1, 8, 8), torch.zeros(1, 1, 8, 8)
    >>> region[0, 2:4, 2:4] = 1
    >>> maps[0, 0, 2, 5] = 1.0
    >>> PointingGame(tolerance=1).score(maps, region).values, PointingGame(tolerance=2).score(maps, region).values
    (tensor([0.]), tensor([1.]))
    """

    label: ClassVar[str] = "pointing"
    meaning: ClassVar[str] = "Whether the highest point of the map lies on the object, or within a few pixels of it."
    better: ClassVar[Direction] = Direction.HIGHER
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    reduction: ClassVar[Reduction] = Reduction.SUM
    scale_invariant: ClassVar[bool] = True
    cite: ClassVar[str] = "Zhang et al., IJCV 2018"

    tolerance: NonNegativeInt = 15

    @property
    def needs_places(self) -> bool:  # type: ignore[override]  # a fact of the class that here depends on a setting
        """Whether distances count, which the columns of a table do not have."""
        return self.tolerance > 0

    @property
    def instead(self) -> str:  # type: ignore[override]  # likewise
        return "set tolerance=0"

    def hit_area(self, inside: Tensor) -> Tensor:
        return dilate(inside, self.tolerance) if self.tolerance else inside

    def measure(self, maps: Tensor, hits: Tensor) -> Scores:
        flat = maps.flatten(1)
        highest = flat == flat.amax(1, keepdim=True)
        share = (highest & hits.flatten(1)).sum(1).double() / highest.sum(1)
        return Scores.of(share.to(maps.dtype))
