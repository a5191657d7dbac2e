"""Efficient model parameter randomisation test (eMPRT): how much the entropy of a map rises when all weights are replaced.

    value = 1/K Σ_k (H(A_k(x; θ_k)) − H(A_k(x; θ))) / H(A_k(x; θ))

A_k(x; θ) is the map of image x for the network with weights θ and the k-th seed, θ_1 … θ_K are K draws of random weights, and H is
the entropy of the histogram of the signed values. The maps of a network that has learnt nothing should be less simple than those of
a trained network. No two maps are compared, so that the noise in the order of values near zero does not enter. The entropy depends
on the values alone: a map of noise scores near 0, an edge map scores 0, and maps of sparse images can gain little entropy.

`error` is the standard error over the K draws of an image. All images have the same K networks, so that the errors of images are
not independent.

Cost: K further maps and 1 forward pass, which finds the order of the network's blocks, and K − 1 more maps of a method that draws
random numbers.
Source: Hedström et al., "Sanity checks revisited: an exploration to repair the model parameter randomisation test", 2023 (eMPRT).
Differs from the paper because it averages over several networks, since one draw decides the sign of a small value; because the
number of bins is a setting rather than guessed from the shape of the map; and because every value of every channel counts by
itself.
"""

from typing import ClassVar

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.core.seeds import derive, seed_of
from heatproof.edits.randomise import Statistics, Unchanged, Weights, blocks, check_weights, randomised, unchanged
from heatproof.metrics.base import ExplainerMetric
from heatproof.metrics.explain import Explain, seed_of_draw
from heatproof.metrics.sanity.unchanged_weights import about_unchanged
from heatproof.metrics.scores import Scores, without_broken
from heatproof.models.model import Model
from heatproof.numerics.entropy import histogram_entropy
from heatproof.passes.counting import ImageShape


class EfficientMprt(ExplainerMetric):
    """Relative rise of the entropy of a map when the weights of the network are replaced.

    draws       The number K of networks with random weights.
    bins        The number of bins of the histogram, between the smallest and the largest value of a map.
    weights     What replaces the weights: the module's own initialisation (own), truncated normal numbers (truncated_normal; both
                Adebayo et al., 2018) or the same weights in another order (permutation).
    statistics  Whether the running means and variances of batch normalisations are reset (reset) or kept (keep).

    >>> import torch
    >>> from heatproof.methods import EdgeMap
    >>> from heatproof.metrics import EfficientMprt, score
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> score(EfficientMprt(), model, images, EdgeMap()).values
    tensor([0., 0.], dtype=torch.float64)
    """

    label: ClassVar[str] = "eMPRT"
    title: ClassVar[str] = "efficient model parameter randomisation test"
    meaning: ClassVar[str] = "Relative rise of the entropy of the map when all weights are replaced; 0 = it does not rise."
    better: ClassVar[Direction] = Direction.HIGHER
    bounds: ClassVar[tuple[float, float]] = (-1.0, torch.inf)
    reduction: ClassVar[Reduction] = Reduction.NONE
    scale_invariant: ClassVar[bool] = True
    cite: ClassVar[str] = "Hedström et al., 2023"

    draws: PositiveInt = 3
    bins: int = Field(default=100, ge=2)
    weights: Weights = "own"
    statistics: Statistics = "reset"

    def check_fits(self, model: Model, image_shape: ImageShape) -> None:
        check_weights(model)

    def explanations(self, stochastic: bool = True) -> int:
        return self.draws + (self.draws - 1 if stochastic else 0)

    def measure(self, model: Model, images: Tensor, target: Tensor, explain: Explain, seed: int) -> Scores:
        all_blocks = blocks(model, images)
        entropies, cleans, kept = [], [], Unchanged()
        for k in range(self.draws):
            network = randomised(model, all_blocks, self.weights, self.statistics, seed=seed_of(derive(seed, "randomisation", k)))
            own = seed_of_draw(seed, k)
            cleans.append(explain(images, target, own).values)
            entropies.append(self._entropy(explain(images, target, own, network).values))
            kept |= unchanged(model, network, all_blocks)
        after, before = torch.stack(entropies), torch.stack([self._entropy(clean) for clean in cleans])
        rise = torch.where(before > 0, (after - before) / before, torch.nan)
        error = rise.std(0) / self.draws**0.5 if self.draws > 1 else None
        scores = Scores.of(rise.mean(0), error=error, missing="the map is constant, so that its entropy is zero")
        return without_broken(about_unchanged(scores, kept, all_blocks), *cleans)

    def _entropy(self, maps: Tensor) -> Tensor:
        return histogram_entropy(maps.flatten(1), self.bins)
