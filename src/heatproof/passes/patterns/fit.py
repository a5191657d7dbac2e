"""Fitting: one pass of images through the network, and each layer with weights is watched.

The pass goes backward with nothing in it: each layer that outputs come from is met with its input, the batch normalisation that
follows already fused. Chunks add up in float64, so that their size changes nothing but the last bits.
"""

import torch
from jaxtyping import Float
from pydantic import PrivateAttr
from torch import Tensor

from heatproof.models.model import Model
from heatproof.models.outputs import Logit
from heatproof.passes.inputs import check_images
from heatproof.passes.memory import in_chunks
from heatproof.passes.patterns.given import GivenPatterns
from heatproof.passes.relevance import relevance
from heatproof.relevance.composites.back_projection import BackProjection
from heatproof.relevance.linear import LinearLayer
from heatproof.relevance.pattern_moments import Estimator, PatternMoments
from heatproof.relevance.rules import LinearRule


def fit_patterns(model: Model, images: Float[Tensor, "b c *space"], estimator: Estimator = "positive") -> GivenPatterns:
    """Patterns of every layer with weights that the outputs come from, in the type of the weights (float32 for half precision).

    Args:
        model: the network.
        images: `[b, c, …]` in model space: data like those it was trained on, the more the better.
        estimator: positive (where an output is active: the published one for ReLU networks) or linear (everywhere).

    Cost: two forward and one backward row an image, and as much again for the sums.

    Raises:
        TensorError: Images that do not fit the model.
        ModelError: A layer that cannot be followed, has no axis of outputs, or is used in two ways.
    """
    check_images(model, images)
    images, model = images.detach(), model.with_(output=Logit())

    def compute(rows: range) -> dict[str, PatternMoments]:
        watch, part = _Watch(estimator=estimator), images[rows.start : rows.stop]
        relevance(model, part, torch.zeros(len(part), dtype=torch.long, device=part.device), _watching(watch))
        return watch.seen

    total: dict[str, PatternMoments] = {}
    for _, found in in_chunks(model, images, len(images), compute, "pattern"):
        total = _merged(total, found)
    dtype = torch.promote_types(model.dtype, torch.float32)
    return GivenPatterns(tensors={name: moments.pattern().to(dtype) for name, moments in total.items()})


class _Watch(LinearRule):
    """Lets nothing through, and keeps the moments of what it met."""

    estimator: Estimator
    _seen: dict[str, PatternMoments] = PrivateAttr(default_factory=dict)

    @property
    def seen(self) -> dict[str, PatternMoments]:
        return self._seen

    def backward(self, x: Tensor, layer: LinearLayer, relevance: Tensor) -> Tensor:
        self._seen.update(_merged(self._seen, {layer.name: PatternMoments.of(layer, x, self.estimator)}))
        return torch.zeros_like(x)


def _watching(watch: _Watch) -> BackProjection:
    return BackProjection(convolution=watch, dense=watch)


def _merged(total: dict[str, PatternMoments], more: dict[str, PatternMoments]) -> dict[str, PatternMoments]:
    return total | {name: total[name].plus(found, name) if name in total else found for name, found in more.items()}
