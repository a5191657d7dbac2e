"""Truth correlation: how a map agrees with a truth that is known by degrees, place by place.

    r = s(A, T)

A is the sum of the map over channels, T the truth at each place, such as what an atom contributes to a quantity, and s Kendall's τ,
Spearman's ρ or Pearson's r over the places that count. A constant map ranks nothing and scores 0, as random maps do on average.
Places whose truth is NaN are left out, such as the null atoms that fill up a molecule. A region of 0 and 1 is a truth of two
degrees.

Cost: no passes. Source: with Kendall's τ and Pearson's r on molecules, Sanchez-Lengeling et al., "Evaluating attribution for graph
neural networks", NeurIPS 2020.
"""

from typing import ClassVar, Literal

import torch
from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.metrics.base import RegionMetric
from heatproof.metrics.scores import Scores
from heatproof.numerics.similarity import Measure, kendall, pearson, spearman

_MEASURES: dict[str, Measure] = {"kendall": kendall, "spearman": spearman, "pearson": pearson}


class TruthCorrelation(RegionMetric):
    """Rank correlation of the map with a truth by degrees.

    similarity  kendall (τ_b), spearman or pearson.

    >>> import torch
    >>> from heatproof.metrics import TruthCorrelation
    >>> truth = torch.tensor([[0.5, -1.0, 0.0, torch.nan]])
    >>> TruthCorrelation().score(torch.tensor([[3.0, 1.0, 2.0, 9.0]]), truth).values
    tensor([1.])
    """

    label: ClassVar[str] = "truth correlation"
    meaning: ClassVar[str] = "Rank correlation of the map with what each place truly contributes; 0 = a constant map."
    better: ClassVar[Direction] = Direction.HIGHER
    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    reduction: ClassVar[Reduction] = Reduction.SUM
    scale_invariant: ClassVar[bool] = True
    cite: ClassVar[str] = "Sanchez-Lengeling et al., NeurIPS 2020"
    graded: ClassVar[bool] = True
    leaves_out: ClassVar[bool] = True

    similarity: Literal["kendall", "spearman", "pearson"] = "kendall"

    def chance(self, hits: Tensor) -> Tensor:
        return torch.zeros(len(hits), dtype=torch.float64, device=hits.device)

    def measure(self, maps: Tensor, hits: Tensor) -> Scores:
        values, truth = maps.flatten(1), hits.flatten(1)
        found = [self._of_one(a, t) for a, t in zip(values, truth, strict=True)]
        return Scores.of(torch.stack(found) if found else values.new_zeros(0))

    def _of_one(self, values: Tensor, truth: Tensor) -> Tensor:
        counted = ~values.isnan()
        a, t = values[counted][None], truth[counted][None]
        constant = bool((a == a[:, :1]).all())
        return a.new_zeros(()) if constant else _MEASURES[self.similarity](a, t)[0]
