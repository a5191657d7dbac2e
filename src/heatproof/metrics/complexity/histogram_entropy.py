"""Histogram entropy: the entropy of the distribution of a map's values, in nats.

    H = −Σ_k p_k ln p_k

A is the signed sum of the map over channels, and p_k is the share of its pixels in the k-th of `bins` equal bins between min A
and max A. The value lies between 0 (a constant map) and ln `bins`, and it is the same for a · A + b with a ≠ 0. The entropy
measures how simple a map is, not whether it is right: a map with one bright pixel scores best wherever that pixel lies. How much
the entropy rises when the weights of the network are randomised says more than its value (Hedström et al., 2024).

Cost: no passes. Source: Hedström, Weber, Bommer, Lapuschkin, Samek & Höhne, "A fresh look at sanity checks for saliency maps",
2024.
Differs from the implementations in use because the number of bins is a setting.
"""

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.metrics.base import MapMetric
from heatproof.metrics.scores import Scores
from heatproof.numerics.entropy import histogram_entropy


class HistogramEntropy(MapMetric):
    """Entropy of the histogram of a map's signed values, in nats.

    bins  The number of bins between the smallest and the largest value.

    >>> import torch
    >>> from heatproof.metrics import HistogramEntropy
    >>> HistogramEntropy(bins=4).score(torch.linspace(0, 1, 64).view(1, 1, 8, 8)).values
    tensor([1.3863])
    """

    label: ClassVar[str] = "histogram entropy"
    meaning: ClassVar[str] = (
        "Entropy of the distribution of the map's values, in nats: how simple the map is, not whether it is right."
    )
    better: ClassVar[Direction] = Direction.LOWER
    bounds: ClassVar[tuple[float, float]] = (0.0, torch.inf)
    reduction: ClassVar[Reduction] = Reduction.SUM
    scale_invariant: ClassVar[bool] = True
    cite: ClassVar[str] = "Hedström et al. 2024"

    bins: Annotated[int, Field(ge=2)] = 100

    def measure(self, maps: Tensor) -> Scores:
        return Scores.of(histogram_entropy(maps.flatten(1), self.bins).to(maps.dtype))
