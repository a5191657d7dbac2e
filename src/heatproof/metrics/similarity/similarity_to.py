"""Similarity of a map to the map that another method makes of the same image and class.

    s(A, B),    s = cosine, Pearson's r, Spearman's ρ or Kendall's τ-b of the channel sums, or of their magnitudes

It says whether two methods tell the same, and nothing about which is right. Values that cosine and r weigh most are few and large;
ρ and τ count every pixel alike, those without meaning too.

Cost: the other method's map, once an image for all maps compared with it. Source: Adebayo et al., "Sanity checks for saliency
maps", NeurIPS 2018 (rank correlations of maps and of their magnitudes); Kendall, Biometrika 1938.
"""

from typing import ClassVar, Literal

from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.metrics.base import ReferenceMetric, Scores
from heatproof.numerics.similarity import cosine, kendall, pearson, spearman

_MEASURES = {"cosine": cosine, "pearson": pearson, "spearman": spearman, "kendall": kendall}


class SimilarityTo(ReferenceMetric):
    """How like another method's map it is.

    reference   the other method, else the gradient; in an experiment also the label of one of its methods.
    similarity  which measure.
    signed      whether signs count; else magnitudes are compared.
    """

    label: ClassVar[str] = "similarity"
    meaning: ClassVar[str] = "How like the map of another method it is; 1 = the same up to a factor or, for ranks, in order."
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
        found = _MEASURES[self.similarity](maps, others)
        return Scores.of(found, missing="one of the two maps is constant, or zero")
