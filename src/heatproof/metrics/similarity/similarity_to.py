"""Similarity to another method: how similar a map is to the map of another method, for the same image and class.

    value = s(A, B),    s = cosine, Pearson's r, Spearman's ρ or Kendall's τ-b

A and B are the two maps, summed over channels, or the magnitudes of these sums. The value shows whether two methods agree, not
which of them is right. The cosine and Pearson's r depend most on a few large values, while ρ and τ weight every pixel equally,
including pixels without meaning.

Cost: the map of the other method, which is computed once per image for all maps that are compared with it.
Source: Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018 (rank correlations of maps and of their magnitudes);
Kendall, "A new measure of rank correlation", Biometrika 1938.
"""

from typing import ClassVar, Literal

from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.metrics.base import ReferenceMetric
from heatproof.metrics.scores import Scores
from heatproof.numerics.similarity import cosine, kendall, pearson, spearman

_MEASURES = {"cosine": cosine, "pearson": pearson, "spearman": spearman, "kendall": kendall}


class SimilarityTo(ReferenceMetric):
    """Similarity to the map of another method.

    reference   The other method; the gradient by default. In an experiment it may also be the label of one of its methods.
    similarity  The measure: cosine, pearson, spearman (Adebayo et al., 2018) or kendall (τ-b; Kendall, 1938).
    signed      Whether signed values are compared, or their magnitudes.

    >>> import torch
    >>> from heatproof.metrics import SimilarityTo
    >>> maps = torch.linspace(-1, 1, 64).view(1, 1, 8, 8)
    >>> SimilarityTo().score(maps, -maps).values, SimilarityTo(signed=False).score(maps, -maps).values
    (tensor([-1.]), tensor([1.]))
    """

    label: ClassVar[str] = "similarity"
    meaning: ClassVar[str] = (
        "Similarity to the map of another method; 1 = equal up to a factor or, for rank correlations, in order."
    )
    better: ClassVar[Direction] = Direction.HIGHER
    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    reduction: ClassVar[Reduction] = Reduction.SUM
    scale_invariant: ClassVar[bool] = True
    cite: ClassVar[str] = "Adebayo et al., NeurIPS 2018"

    similarity: Literal["cosine", "pearson", "spearman", "kendall"] = "cosine"
    signed: bool = True

    def measure(self, maps: Tensor, others: Tensor) -> Scores:
        if not self.signed:
            maps, others = maps.abs(), others.abs()
        return Scores.of(_MEASURES[self.similarity](maps, others), missing="one of the two maps is constant, or zero")
