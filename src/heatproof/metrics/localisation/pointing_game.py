"""Pointing game: whether the map is highest on the object, or near it.

    hit = |{p ∈ M : d(p, object) ≤ t}| / |M|,    M = {p : A_p = max A}

A the channel sum of the map, d the distance in pixels, t the tolerance. Most maps have one highest pixel, and a hit is 0 or 1.
Where several tie, as in a constant map, it is the share of them that hit: what one of them, chosen at random, would score.
`chance` is that share for a constant map. The mean over images is the published accuracy.

A map that lies on the object need not show what the network uses, and one that lies beside it may: networks use the surroundings.

Cost: none. Source: Zhang et al., "Top-down neural attention by excitation backprop", IJCV 2018; 15 pixels are the published
tolerance.
Differs from the paper: pixels are the map's, and of 224 of them 15 are a larger share than of a photograph of 500; a distance
equal to the tolerance hits, so that 0 means the object itself; the mean is over images, not over classes first; maps of gradients
are scored as they are, signed, channels summed.
"""

from typing import ClassVar

from pydantic import NonNegativeInt
from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.metrics.base import RegionMetric, Scores
from heatproof.numerics.dilate import dilate


class PointingGame(RegionMetric):
    """Whether the highest point of the map hits the object.

    tolerance  pixels that it may lie beside.
    """

    label: ClassVar[str] = "pointing"
    meaning: ClassVar[str] = "Whether the highest point of the map lies on the object, or within a few pixels of it."
    better: ClassVar[Direction] = Direction.HIGHER
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    reduction: ClassVar[Reduction] = Reduction.SUM
    scale_invariant: ClassVar[bool] = True
    cite: ClassVar[str] = "Zhang et al., IJCV 2018"

    tolerance: NonNegativeInt = 15

    def found(self, inside: Tensor) -> Tensor:
        return dilate(inside, self.tolerance)

    def measure(self, maps: Tensor, found: Tensor) -> Scores:
        flat = maps.flatten(1)
        highest = flat == flat.amax(1, keepdim=True)
        hits = (highest & found.flatten(1)).sum(1).double() / highest.sum(1)
        return Scores.of(hits.to(maps.dtype))
