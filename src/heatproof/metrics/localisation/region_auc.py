"""AUROC of a map against a region: the probability that a place of the object ranks above a place beside it.

    AUROC = P(A_p > A_q) + ½ P(A_p = A_q),    p drawn from the object, q from the other places

A is the sum of the map over channels. 1 = every place of the object ranks above all others; ½ = the score of a constant map and, on
average, of a random one; 0 = the object ranks last. Of several legal regions the best counts, so that random maps score above ½
there: compare with a random map. Places whose region is NaN are left out, such as the null atoms that fill up a molecule.

Cost: no passes. Source: as the score of attributions on graphs, with the maximum over legal answers, Sanchez-Lengeling et al.,
"Evaluating attribution for graph neural networks", NeurIPS 2020.
Differs from the paper because maps are not brought to quantiles over the data set first, which changes no rank within a map
except by ties.
"""

from typing import ClassVar

import torch
from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.metrics.base import RegionMetric
from heatproof.metrics.scores import Scores
from heatproof.numerics.similarity import average_ranks


class RegionAuc(RegionMetric):
    """Probability that a place of the object ranks above a place beside it.

    >>> import torch
    >>> from heatproof.metrics import RegionAuc
    >>> region, maps = torch.tensor([[1.0, 1.0, 0.0, 0.0, torch.nan]]), torch.tensor([[5.0, 3.0, 4.0, 1.0, 9.0]])
    >>> RegionAuc().score(maps, region).values
    tensor([0.7500])
    >>> legal = torch.tensor([[[1.0, 1, 0, 0, 0], [1, 0, 1, 0, 0]]])  # two answers are right
    >>> RegionAuc().score(maps[:, :4], legal[..., :4]).values
    tensor([1.])
    """

    label: ClassVar[str] = "AUROC"
    title: ClassVar[str] = "AUROC of the region"
    meaning: ClassVar[str] = "Probability that a place of the object ranks above a place beside it; ½ = a constant map."
    better: ClassVar[Direction] = Direction.HIGHER
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    reduction: ClassVar[Reduction] = Reduction.SUM
    scale_invariant: ClassVar[bool] = True
    cite: ClassVar[str] = "Sanchez-Lengeling et al., NeurIPS 2020"
    leaves_out: ClassVar[bool] = True

    def chance(self, hits: Tensor) -> Tensor:
        return torch.full((len(hits),), 0.5, dtype=torch.float64, device=hits.device)

    def measure(self, maps: Tensor, hits: Tensor) -> Scores:
        values = maps.flatten(1)
        counted = ~values.isnan()
        inside = hits.flatten(1) & counted
        # Places that do not count take the highest ranks, which changes no other.
        ranks = average_ranks(values.masked_fill(~counted, torch.inf))
        p, q = inside.sum(1).double(), (counted & ~inside).sum(1).double()
        auc = ((ranks * inside).sum(1) - p * (p + 1) / 2) / (p * q)
        return Scores.of(auc.to(maps.dtype))
