"""Random logit test: the similarity of a map to the map of another class, drawn at random.

    value = 1/K Σ_k similarity(A(x; t), A(x; t_k))

A(x; t) is the map of image x for class t, and the classes t_1 … t_K are uniform over all classes other than t. A map that is the
same for every class explains none of them. Two classes that the network distinguishes by the same pixels may nevertheless rightly
share a map. The value is read beside two controls: an edge map scores 1 and a random map scores 0.

Cost: K further maps and 1 forward pass. Source: Sixt, Granz & Landgraf, "When explanations lie: why many modified BP attributions
fail", ICML 2020.
Differs from the paper because any similarity may be used, not only SSIM; and because each image draws its own classes, which depend
only on the seed and the content of the image.
"""

from typing import ClassVar

import torch
from pydantic import PositiveInt
from torch import Tensor

from heatproof.core.records import Direction
from heatproof.metrics.base import Explain
from heatproof.metrics.comparison import ComparingMetric
from heatproof.metrics.scores import Scores, without_broken
from heatproof.models.model import Model
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.forward import raw_outputs
from heatproof.perturb.draws import Draws


class RandomLogit(ComparingMetric):
    """Mean similarity to the maps of other classes.

    draws  The number K of other classes per image.

    >>> import torch
    >>> from heatproof.methods import EdgeMap
    >>> from heatproof.metrics import RandomLogit
    >>> from heatproof.metrics.base import bound
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> RandomLogit().score(model, images, None, bound(EdgeMap(), model)).values
    tensor([1., 1.])
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
        similarities = []
        for k in range(self.draws):
            step = 1 + (draws.uniform("other class", k, ())[:, None] * (classes - 1)).long().clamp(max=classes - 2)[:, 0]
            other = explain(images, (target + step) % classes, seed).values
            similarities.append(self.compare(clean, other))
        each = torch.stack(similarities, 1)
        error = each.std(1) / self.draws**0.5 if self.draws > 1 else None
        return without_broken(Scores.of(each.nanmean(1), error=error, missing=self.undefined), clean)
