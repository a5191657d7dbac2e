"""Intersection over union at the best threshold: how well a map, cut at some height, outlines the object.

    IoU = max_t |{A ≥ t} ∩ object| / |{A ≥ t} ∪ object|

A is the sum of the map over channels, and t runs over all values of the map. Since the threshold is chosen with knowledge of the
object, the score is an upper limit of what the map could outline, and a random map scores more than the share of the image that the
object covers. `chance` is therefore the expected score of a random order of the places. It depends on the number of places and on
that of the object alone, and is estimated from random orders that are drawn from a fixed seed, with a relative error of a few per
cent for objects of one place and far less for larger ones. A constant map has no threshold that tells places apart, and scores
`chance`.

Cost: no passes. Source: Zhou, Khosla, Lapedriza, Oliva & Torralba, "Learning deep features for discriminative localization", CVPR
2016, which thresholds maps at a fixed share of their maximum; Choe et al., "Evaluating weakly supervised object localization
methods right", CVPR 2020, which chooses the threshold.
Differs from the papers because the mask is compared rather than a box around it; and because the best threshold is chosen for each
image rather than for a set of images.
"""

from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.core.seeds import derive, seed_of
from heatproof.metrics.base import RegionMetric
from heatproof.metrics.scores import Scores

_DRAWN_PLACES = 1_000_000
"""The number of places in all random orders of one estimate of chance."""


class BestOverlap(RegionMetric):
    """Intersection over union of the region of the object and the places above the best threshold of the map.

    >>> import torch
    >>> from heatproof.metrics import BestOverlap
    >>> region, maps = torch.zeros(1, 8, 8), torch.zeros(1, 1, 8, 8)
    >>> region[0, 0, :4] = 1
    >>> maps[0, 0, 0, :3], maps[0, 0, 7, 7] = 1.0, 2.0
    >>> BestOverlap().score(maps, region).values
    tensor([0.6000])
    """

    label: ClassVar[str] = "best IoU"
    title: ClassVar[str] = "intersection over union at the best threshold"
    meaning: ClassVar[str] = "How well the map outlines the object where it is cut at the best height; 1 = the object itself."
    better: ClassVar[Direction] = Direction.HIGHER
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    reduction: ClassVar[Reduction] = Reduction.SUM
    scale_invariant: ClassVar[bool] = True
    cite: ClassVar[str] = "Zhou et al., CVPR 2016"

    def chance(self, hits: Tensor) -> Tensor:
        expected = [_expected_overlap(hits.shape[1], int(area)) for area in hits.sum(1)]
        return torch.tensor(expected, dtype=torch.float64, device=hits.device)

    def measure(self, maps: Tensor, hits: Tensor) -> Scores:
        values, order = maps.flatten(1).sort(dim=1, descending=True)
        inside = hits.flatten(1)
        overlaps = _overlaps(inside.gather(1, order), inside.sum(1, keepdim=True))
        last_of_its_height = torch.ones_like(inside)
        last_of_its_height[:, :-1] = values[:, :-1] > values[:, 1:]
        best = overlaps.masked_fill(~last_of_its_height, 0).amax(1)
        constant = values[:, 0] == values[:, -1]
        return Scores.of(torch.where(constant, self.chance(inside), best).to(maps.dtype))


def _overlaps(inside: Tensor, area: Tensor) -> Tensor:
    """The intersection over union of the first 1, 2, … places of an order and the object, in float64."""
    found = inside.cumsum(1).double()
    taken = torch.arange(1, inside.shape[1] + 1, device=inside.device)
    return found / (area + taken - found)


@lru_cache(maxsize=4096)
def _expected_overlap(n: int, area: int) -> float:
    """The mean over random orders of n places of the best overlap with an object of that area; 0 without an object."""
    if area == 0:
        return 0.0
    generator = torch.Generator().manual_seed(seed_of(derive("best overlap", n, area)))
    orders = max(16, _DRAWN_PLACES // n)
    total, left = 0.0, orders
    while left:
        rows = min(left, max(1, 1_000_000 // n))
        drawn = torch.rand(rows, n, generator=generator).argsort(dim=1) < area
        total += float(_overlaps(drawn, torch.tensor(area)).amax(1).sum())
        left -= rows
    return total / orders
