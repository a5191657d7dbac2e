"""Histogram entropy: how many different values a map is made of, in nats.

    H = −Σ_k p_k ln p_k,    p_k = share of pixels in the k-th of `bins` equal bins from min A to max A

A the signed Σ_channels map. From 0 (a constant map) to ln `bins`; the same for a A + b. It measures simplicity, not truth: a map
of one bright pixel scores best wherever that pixel is. Its rise when the network's weights are randomised says more than its
value (Hedström et al., 2024).

Cost: none. Source: Hedström, Weber, Bommer, Lapuschkin, Samek & Höhne, "A fresh look at sanity checks for saliency maps", 2024.
Differs from what is in use: the bins are as many as asked for.
"""

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.metrics.base import MapMetric, Scores
from heatproof.numerics.entropy import histogram_entropy


class HistogramEntropy(MapMetric):
    """Entropy of the histogram of a map's signed values.

    bins  between the smallest and the greatest value.
    """

    label: ClassVar[str] = "histogram entropy"
    meaning: ClassVar[str] = "Entropy of the map's values in nats: how simple it is, not how true; 0 for a constant map."
    better: ClassVar[Direction] = Direction.LOWER
    bounds: ClassVar[tuple[float, float]] = (0.0, torch.inf)
    reduction: ClassVar[Reduction] = Reduction.SUM
    scale_invariant: ClassVar[bool] = True
    cite: ClassVar[str] = "Hedström et al. 2024"

    bins: Annotated[int, Field(ge=2)] = 100

    def measure(self, maps: Tensor) -> Scores:
        return Scores.of(histogram_entropy(maps.flatten(1), self.bins).to(maps.dtype))
