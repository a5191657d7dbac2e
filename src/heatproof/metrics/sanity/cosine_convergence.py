"""Cosine convergence: whether a method sends every output to the same map.

    value = median over pairs |cos(A(v_j · f), A(v_k · f))|,    v_1 … v_n ~ N(0, I) over the network's outputs

Rules that pass relevance on through non-negative matrices alone (z⁺, αβ with β = 0, deep Taylor, excitation) multiply matrices
whose product tends to rank 1: wherever relevance starts, it arrives in one pattern, and what is explained only sets its size and
sign. Then the value is near 1.

Cost: n further maps. Source: Sixt, Granz & Landgraf, "When explanations lie", ICML 2020 (CSC).
Differs from the paper: relevance starts at the outputs, and whole maps of the input are compared, not the channels of each position
at each layer; so it can be asked of any method, and of images with one channel. The sign of a cosine does not count.
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
from heatproof.metrics.base import Explain, ExplainerMetric, Scores, without_broken
from heatproof.models.model import Model
from heatproof.numerics.similarity import cosine
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.forward import raw_outputs


class CosineConvergence(ExplainerMetric):
    """Median |cosine| between maps of random directions of the output.

    directions   n of them, the same for every image.
    """

    label: ClassVar[str] = "cosine convergence"
    meaning: ClassVar[str] = "Likeness of maps of random mixtures of the outputs; 1 = one map, whatever is explained."
    better: ClassVar[Direction] = Direction.LOWER
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    reduction: ClassVar[Reduction] = Reduction.NONE
    scale_invariant: ClassVar[bool] = True
    cite: ClassVar[str] = "Sixt et al., ICML 2020"

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
        each = torch.stack([cosine(a, b).abs() for a, b in combinations(maps, 2)])
        return without_broken(Scores.of(each.nanmedian(0).values, missing="every map is zero"), *maps)


# the class named is none of the output's business: it tells maps apart that know nothing of the output, such as noise
def _along(direction: Float[Tensor, " k"], outputs: Float[Tensor, "b k"], target: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
    return outputs @ direction.to(outputs)
