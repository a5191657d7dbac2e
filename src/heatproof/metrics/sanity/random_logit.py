"""Random logit test: the similarity of a map to the map of another class, drawn at random.

    value = 1/K Σ_k similarity(A_k(x; t), A_k(x; t_k))

A_k(x; t) is the map of image x for class t with the k-th seed, and the classes t_1 … t_K are uniform over all classes other than
t. A map that is the same for every class explains none of them. Two classes that the network distinguishes by the same pixels may
nevertheless rightly share a map. The value is read beside two controls: an edge map scores 1 and a random map scores 0. Where the
explained output depends on no class, as in a regression, there is no other class to ask for, and the score is NaN.

`error` is the standard error over the K draws. Cost: K further maps and 1 forward pass, and K − 1 more maps of a method that
draws random numbers.
Source: Sixt, Granz & Landgraf, "When explanations lie: why many modified BP attributions fail", ICML 2020.
Differs from the paper because any similarity may be used, not only SSIM; and because each image draws its own classes, which depend
only on the seed and the content of the image.
"""

from typing import ClassVar

import torch
from pydantic import PositiveInt
from torch import Tensor

from heatproof.core.records import Direction
from heatproof.metrics.comparison import ComparingMetric
from heatproof.metrics.explain import Explain, seed_of_draw
from heatproof.metrics.scores import Scores, without_broken
from heatproof.models.classes import NO_CLASSES, number_of_classes
from heatproof.models.model import Model
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.forward import raw_outputs
from heatproof.perturb.draws import Draws


class RandomLogit(ComparingMetric):
    """Mean similarity to the maps of other classes.

    draws  The number K of other classes per image.

    >>> import torch
    >>> from heatproof.methods import EdgeMap
    >>> from heatproof.metrics import RandomLogit, score
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> score(RandomLogit(), model, images, EdgeMap()).values
    tensor([1., 1.])
    """

    label: ClassVar[str] = "random logit"
    meaning: ClassVar[str] = "Similarity to the map of another class; 1 = the map does not depend on what is explained."
    better: ClassVar[Direction] = Direction.LOWER
    cite: ClassVar[str] = "Sixt et al., ICML 2020"
    keeps_passes: ClassVar[bool] = True

    draws: PositiveInt = 1

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(1, clean=1)

    def explanations(self, stochastic: bool = True) -> int:
        return self.draws + (self.draws - 1 if stochastic else 0)

    def measure(self, model: Model, images: Tensor, target: Tensor, explain: Explain, seed: int) -> Scores:
        classes = number_of_classes(model, raw_outputs(model, images))
        if not classes:
            return Scores.of(torch.full_like(target, torch.nan, dtype=images.dtype), missing=NO_CLASSES)
        draws = Draws.for_images(seed, images)
        similarities, clean = [], []
        for k in range(self.draws):
            step = 1 + (draws.uniform("other class", k, ())[:, None] * (classes - 1)).long().clamp(max=classes - 2)[:, 0]
            own = seed_of_draw(seed, k)
            clean.append(explain(images, target, own).values)
            similarities.append(self.compare(clean[-1], explain(images, (target + step) % classes, own).values))
        each = torch.stack(similarities, 1)
        error = each.std(1) / self.draws**0.5 if self.draws > 1 else None
        return without_broken(Scores.of(each.nanmean(1), error=error, missing=self.undefined), *clean)
