"""Cosine convergence: whether a method gives the same map for every output, up to a factor.

    value = median over pairs j < k of |cos(A(v_j · f), A(v_k · f))|

f is the vector of the network's outputs, v_1 … v_n ~ N(0, I) are random directions, and A(v · f) is the map of the mixture v · f
of outputs. Rules that propagate relevance through non-negative matrices only (z⁺, αβ with β = 0, deep Taylor, excitation
backprop) multiply matrices whose product tends to rank 1. Relevance then arrives in one pattern wherever it starts, and what is
explained only sets the size and sign of the map. In that case the value is near 1.

Cost: n further maps and 1 forward pass. Source: Sixt, Granz & Landgraf, "When explanations lie: why many modified BP attributions
fail", ICML 2020 (cosine similarity convergence).
Differs from the paper because relevance starts at the outputs, and whole maps of the input are compared rather than the channels of
each position at each layer, so that the metric applies to every method and to images with one channel; and because the sign of the
cosine does not count. What the model explains does not count either, so that several outputs of a regression will do; the score is
NaN if the network has one output.
"""

from functools import partial
from itertools import combinations
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.core.seeds import derive, seed_of
from heatproof.metrics.base import ExplainerMetric
from heatproof.metrics.explain import Explain
from heatproof.metrics.scores import Scores, without_broken
from heatproof.models.model import Model
from heatproof.numerics.similarity import cosine
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.forward import raw_outputs


class CosineConvergence(ExplainerMetric):
    """Median absolute cosine between the maps of random mixtures of the outputs.

    directions  The number n of random mixtures, which are the same for every image.

    >>> import torch
    >>> from heatproof.methods import EdgeMap
    >>> from heatproof.metrics import CosineConvergence, score
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> score(CosineConvergence(), model, images, EdgeMap()).values
    tensor([1., 1.])
    """

    label: ClassVar[str] = "cosine convergence"
    meaning: ClassVar[str] = "Similarity of the maps of random mixtures of the outputs; 1 = the same map, whatever is explained."
    better: ClassVar[Direction] = Direction.LOWER
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    reduction: ClassVar[Reduction] = Reduction.NONE
    scale_invariant: ClassVar[bool] = True
    cite: ClassVar[str] = "Sixt et al., ICML 2020"
    keeps_passes: ClassVar[bool] = True

    directions: int = Field(default=5, ge=2)

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(1, clean=1)

    def explanations(self, stochastic: bool = True) -> int:
        return self.directions

    def measure(self, model: Model, images: Tensor, target: Tensor, explain: Explain, seed: int) -> Scores:
        outputs = raw_outputs(model, images).shape[1]
        if outputs == 1:
            return Scores.of(torch.full_like(target, torch.nan, dtype=images.dtype), missing="the network has one output")
        generator = torch.Generator().manual_seed(seed_of(derive(seed, "directions of the output")))
        directions = torch.randn(self.directions, outputs, generator=generator, dtype=torch.float64).to(images)
        maps = [
            explain(images, (target + k) % outputs, seed, model.with_(output=partial(_along, v))).values
            for k, v in enumerate(directions)
        ]
        cosines = torch.stack([cosine(a, b).abs() for a, b in combinations(maps, 2)])
        median = cosines.double().nanquantile(0.5, dim=0).to(cosines.dtype)
        return without_broken(Scores.of(median, missing="no two maps differ from zero"), *maps)


# The mixture does not depend on the class; each direction has its own, so that maps which ignore the output, as noise does, differ.
def _along(direction: Float[Tensor, " k"], outputs: Float[Tensor, "b k"], target: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
    return outputs @ direction.to(outputs)
