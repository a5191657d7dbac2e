"""Efficient parameter randomisation (eMPRT): by how much a map's values spread out when every weight is replaced.

    value = 1/K Σ_k (H(A(x; θ_k)) − H(A(x; θ))) / H(A(x; θ)),    H the entropy of a histogram of the signed values

A network that knows nothing should have maps less simple than one that does; and no two maps are compared, so that the noise of
rankings among near-zeros does not enter. Entropy looks at values alone: a map of noise scores near 0, so does an edge map, and maps
of sparse images have little entropy to gain.

Cost: K further maps, and one forward row for the blocks. Source: Hedström et al., "Sanity checks revisited", 2023 (eMPRT).
Differs from the paper: several networks, since one draw decides the sign of small values; the number of bins is given, not guessed
from the number of axes; entries of all channels count by themselves.
"""

from typing import ClassVar

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.core.seeds import derive, seed_of
from heatproof.edits.randomise import Statistics, Weights, blocks, randomised
from heatproof.metrics.base import Explain, ExplainerMetric, Scores, without_broken
from heatproof.models.model import Model
from heatproof.numerics.entropy import histogram_entropy


class EfficientMprt(ExplainerMetric):
    """Relative rise of a map's entropy from the trained to random networks.

    draws       random networks, K.
    bins        of the histogram, between a map's least and greatest value.
    weights     what replaces the network's, as in `parameter_randomisation`.
    statistics  running means and variances of batch normalisations: reset, or kept.
    """

    label: ClassVar[str] = "eMPRT"
    meaning: ClassVar[str] = "Relative rise of the map's entropy when all weights are replaced; 0 = it spreads no more than before."
    better: ClassVar[Direction] = Direction.HIGHER
    bounds: ClassVar[tuple[float, float]] = (-1.0, torch.inf)
    reduction: ClassVar[Reduction] = Reduction.NONE
    scale_invariant: ClassVar[bool] = True
    cite: ClassVar[str] = "Hedström et al., 2023"

    draws: PositiveInt = 3
    bins: int = Field(default=100, ge=2)
    weights: Weights = "own"
    statistics: Statistics = "reset"

    def explanations(self, stochastic: bool = True) -> int:
        return self.draws

    def measure(self, model: Model, images: Tensor, target: Tensor, explain: Explain, seed: int) -> Scores:
        found = blocks(model, images)
        clean = explain(images, target, seed).values
        networks = (
            randomised(model, found, self.weights, self.statistics, seed=seed_of(derive(seed, "randomisation", k)))
            for k in range(self.draws)
        )
        after = torch.stack([self._entropy(explain(images, target, seed, network).values) for network in networks])
        before = self._entropy(clean)
        rise = torch.where(before > 0, (after - before) / before, torch.nan)
        error = rise.std(0) / self.draws**0.5 if self.draws > 1 else None
        return without_broken(Scores.of(rise.mean(0), error=error, missing="the map is constant, so it has no entropy"), clean)

    def _entropy(self, maps: Tensor) -> Tensor:
        return histogram_entropy(maps.flatten(1), self.bins)
