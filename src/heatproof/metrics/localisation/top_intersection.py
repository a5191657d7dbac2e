"""Top-k intersection: the share of the k highest places of a map that lie on the object, or of the places of the object they cover.

    I = |P_k ∩ object| / min(k, |object|)

P_k are the k highest places of the sum of the map over channels. If the k-th and further places tie, each of them counts with the
probability that it is chosen at random. `chance` is the expected score of a random order, (k |object| / n) / min(k, |object|) for n
places, which is also the score of a constant map. A map that lies on the object need not show what the network uses.

Cost: no passes. Source: Theiner, Müller-Budack & Ewerth, "Interpretable semantic photo geolocation", WACV 2022.
Differs from the paper because k is a share of the image, so that scores of images of two sizes can be compared; and because the
denominator is the largest possible intersection, so that the region itself scores 1 even if it is smaller than k.
"""

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.metrics.base import RegionMetric
from heatproof.metrics.scores import Scores
from heatproof.numerics.top_places import hits_among_highest


class TopIntersection(RegionMetric):
    """Share of the highest places of the map that lie inside the region of the object.

    share  The number of the highest places, k, as a share of all places; at least one place is taken.

    >>> import torch
    >>> from heatproof.metrics import TopIntersection
    >>> region, maps = torch.zeros(1, 8, 8), torch.zeros(1, 1, 8, 8)
    >>> region[0, :4] = 1
    >>> maps[0, 0, 0, 0], maps[0, 0, 7, 7] = 2.0, 1.0
    >>> TopIntersection(share=1 / 64).score(maps, region).values, TopIntersection(share=2 / 64).score(maps, region).values
    (tensor([1.]), tensor([0.5000]))
    """

    label: ClassVar[str] = "top k"
    title: ClassVar[str] = "top-k intersection"
    meaning: ClassVar[str] = "Share of the highest places of the map that lie on the object."
    better: ClassVar[Direction] = Direction.HIGHER
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    reduction: ClassVar[Reduction] = Reduction.SUM
    scale_invariant: ClassVar[bool] = True
    cite: ClassVar[str] = "Theiner et al., WACV 2022"

    share: float = Field(default=0.05, gt=0, le=1)

    def chance(self, hits: Tensor) -> Tensor:
        k, area = self._number(hits), hits.sum(1).double()
        return k * area / hits.shape[1] / area.clamp(max=k)

    def measure(self, maps: Tensor, hits: Tensor) -> Scores:
        flat, inside = maps.flatten(1), hits.flatten(1)
        k, area = self._number(flat), inside.sum(1)
        found = hits_among_highest(flat, inside, area.new_full(area.shape, k))
        return Scores.of((found / area.clamp(max=k)).to(maps.dtype))

    def _number(self, flat: Tensor) -> int:
        return max(1, round(self.share * flat.shape[1]))
