"""Fitting of patterns to images: one pass through the network, in which the moments of each layer's input and output are summed.

The moments are collected in a backward pass of relevance whose rule sees the input of each layer with weights on the way to the
outputs, the following batch normalisation fused into the layer, and propagates zero. Chunks are summed in float64, so that the
chunk size changes no more than the last bits.
"""

import torch
from jaxtyping import Float
from pydantic import PrivateAttr
from torch import Tensor

from heatproof.models.model import Model
from heatproof.models.outputs import Regression
from heatproof.passes.inputs import check_images
from heatproof.passes.memory import in_chunks
from heatproof.passes.network_checks import check_network
from heatproof.passes.patterns.given import GivenPatterns
from heatproof.passes.relevance import relevance
from heatproof.relevance.composites.back_projection import BackProjection
from heatproof.relevance.linear import LinearLayer
from heatproof.relevance.pattern_moments import Estimator, PatternMoments
from heatproof.relevance.rules import LinearRule


def fit_patterns(model: Model, images: Float[Tensor, "b c *space"], estimator: Estimator = "positive") -> GivenPatterns:
    """The patterns of every layer with weights on the way to the outputs.

    Cost: two forward passes and one backward pass an image, and as much time again for the sums.

    Args:
        model: The network.
        images: Images `[b, c, …]` in model space, like those on which the network was trained; the more, the better.
        estimator: `positive` uses the inputs for which an output is active, as published for ReLU networks; `linear` uses all.

    Returns:
        The patterns, in the type of the weights (float32 for half precision).

    Raises:
        TensorError: The images do not fit the model.
        ModelError: A layer cannot be traced, has no axis of outputs, or is used in two ways.

    >>> import torch
    >>> from heatproof.models.loaders import Toy
    >>> from heatproof.passes.patterns import fit_patterns
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> weights = dict(model.module.named_parameters())
    >>> all(pattern.shape == weights[name].shape for name, pattern in fit_patterns(model, images).tensors.items())
    True
    """
    check_images(model, images)
    check_network(model, images, gradients=True)
    images, model = images.detach(), model.with_(output=Regression())

    def compute(rows: range) -> dict[str, PatternMoments]:
        recorder, part = _Recorder(estimator=estimator), images[rows.start : rows.stop]
        relevance(model, part, torch.zeros(len(part), dtype=torch.long, device=part.device), _recording(recorder))
        return recorder.moments

    total: dict[str, PatternMoments] = {}
    for _, moments in in_chunks(model, images, len(images), compute, "pattern"):
        total = _merged(total, moments)
    dtype = torch.promote_types(model.dtype, torch.float32)
    return GivenPatterns(tensors={name: summed.pattern().to(dtype) for name, summed in total.items()})


class _Recorder(LinearRule):
    """A rule that propagates zero and records the moments of every layer it is applied to."""

    estimator: Estimator
    _moments: dict[str, PatternMoments] = PrivateAttr(default_factory=dict)

    @property
    def moments(self) -> dict[str, PatternMoments]:
        return self._moments

    def backward(self, x: Tensor, layer: LinearLayer, relevance: Tensor) -> Tensor:
        self._moments.update(_merged(self._moments, {layer.name: PatternMoments.of(layer, x, self.estimator)}))
        return torch.zeros_like(x)


def _recording(recorder: _Recorder) -> BackProjection:
    return BackProjection(convolution=recorder, dense=recorder)


def _merged(total: dict[str, PatternMoments], more: dict[str, PatternMoments]) -> dict[str, PatternMoments]:
    return total | {name: total[name].plus(moments, name) if name in total else moments for name, moments in more.items()}
