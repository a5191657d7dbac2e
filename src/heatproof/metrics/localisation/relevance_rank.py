"""Relevance rank accuracy: the share of the object that the highest places of a map cover, as many places as the object has.

    RRA = |P_K ∩ object| / K,    K = |object|

P_K are the K highest places of the sum of the map over channels. If the K-th and further places tie, each of them counts with the
probability that it is chosen at random. `chance` is the share of the image that the object covers, which is also the score of a
constant map. Ranks alone count, so that a few large values beside the object cost little, and small values on it as little as
large ones. A map that lies on the object need not show what the network uses.

Cost: no passes. Source: Arras, Osman & Samek, "CLEVR-XAI: a benchmark dataset for the ground truth evaluation of neural network
explanations", Information Fusion 2022.
Differs from the paper because the signed sum of the channels is ranked, where the paper compares several poolings of them; and
because a region that is empty or fills the image has no score.
"""

from typing import ClassVar

from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.metrics.base import RegionMetric
from heatproof.metrics.scores import Scores
from heatproof.numerics.top_places import hits_among_highest


class RelevanceRank(RegionMetric):
    """Share of the region of the object that as many of the map's highest places cover.

    >>> import torch
    >>> from heatproof.metrics import RelevanceRank
    >>> region, maps = torch.zeros(1, 8, 8), torch.zeros(1, 1, 8, 8)
    >>> region[0, 0, :4] = 1
    >>> maps[0, 0, 0, :3], maps[0, 0, 7, 7] = 1.0, 2.0
    >>> RelevanceRank().score(maps, region).values
    tensor([0.7500])
    """

    label: ClassVar[str] = "rank accuracy"
    title: ClassVar[str] = "relevance rank accuracy"
    meaning: ClassVar[str] = "Share of the object that the highest places of the map cover, as many as the object has."
    better: ClassVar[Direction] = Direction.HIGHER
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    reduction: ClassVar[Reduction] = Reduction.SUM
    scale_invariant: ClassVar[bool] = True
    cite: ClassVar[str] = "Arras et al. 2022"

    def measure(self, maps: Tensor, hits: Tensor) -> Scores:
        inside = hits.flatten(1)
        area = inside.sum(1)
        return Scores.of((hits_among_highest(maps.flatten(1), inside, area) / area).to(maps.dtype))
