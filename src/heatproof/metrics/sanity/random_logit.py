"""Random logit: the similarity of a map to the map of another class, drawn at random.

    value = 1/K Σ_k similarity(A(x; t), A(x; t_k)),    t_k uniform over the classes other than t

A map that is the same for every class explains none of them; but two classes that a network tells apart by the same pixels may
rightly share a map. Read it beside a control: an edge map has 1, a random map 0.

Cost: K further maps. Source: Sixt, Granz & Landgraf, "When explanations lie", ICML 2020.
Differs from the paper: any similarity, not SSIM alone; every image draws its classes by itself, from the seed and its content.
"""

from typing import ClassVar

import torch
from pydantic import PositiveInt
from torch import Tensor

from heatproof.core.records import Direction
from heatproof.metrics.base import Explain, Scores, without_broken
from heatproof.metrics.comparison import ComparingMetric
from heatproof.models.model import Model
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.forward import raw_outputs
from heatproof.perturb.draws import Draws


class RandomLogit(ComparingMetric):
    """Mean similarity to the maps of other classes.

    draws   other classes an image, K.
    """

    label: ClassVar[str] = "random logit"
    meaning: ClassVar[str] = "Similarity to the map of another class; 1 = the map does not depend on what is explained."
    better: ClassVar[Direction] = Direction.LOWER
    cite: ClassVar[str] = "Sixt et al., ICML 2020"

    draws: PositiveInt = 1

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(1, clean=1)

    def explanations(self, stochastic: bool = True) -> int:
        return self.draws

    def measure(self, model: Model, images: Tensor, target: Tensor, explain: Explain, seed: int) -> Scores:
        classes = raw_outputs(model, images).shape[1]
        clean = explain(images, target, seed).values
        if classes == 1:
            return Scores.of(torch.full_like(target, torch.nan, dtype=images.dtype), missing="the network has one output")
        draws = Draws.for_images(seed, images)
        found = []
        for k in range(self.draws):
            step = 1 + (draws.uniform("other class", k, ())[:, None] * (classes - 1)).long().clamp(max=classes - 2)[:, 0]
            other = explain(images, (target + step) % classes, seed).values
            found.append(self.compare(clean, other))
        each = torch.stack(found, 1)
        error = each.std(1) / self.draws**0.5 if self.draws > 1 else None
        return without_broken(Scores.of(each.nanmean(1), error=error, missing="a map is constant"), clean)
