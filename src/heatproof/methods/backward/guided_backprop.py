"""Guided backpropagation.

    A(x) = ∇f(x), where each activation y = g(u) passes g′(u) max(R, 0) instead of g′(u) R

f is the explained output and R the gradient that arrives at the output of the activation. The map resembles a picture of the
image's edges whatever the weights are (Nie et al. 2018; Adebayo et al. 2018): the method is here for comparison, and to be
doubted.

Cost: 2 forward passes (one of them verifies that tracing the network leaves its outputs unchanged) and 1 backward pass an image.
Source: Springenberg et al., "Striving for simplicity: the all convolutional net", ICLR workshop 2015.
Differs from the paper because it covers activations that are called as functions, activations that are written with several
operations, such as where(u > 0, u, 0), and activations other than ReLU by their derivative. An operation that may act as an
activation and has no rule, such as |u|, is refused by name.
"""

from typing import ClassVar

from heatproof.methods.backward.base import BackwardMethod
from heatproof.models.model import Model
from heatproof.relevance.composites import Composite, GuidedRelu


class GuidedBackprop(BackwardMethod):
    """The gradient, with negative gradients set to zero at every activation.

    >>> import torch
    >>> from heatproof.methods import GuidedBackprop
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> GuidedBackprop().attribute(model, images, target=3).values.shape
    torch.Size([2, 1, 28, 28])
    """

    label: ClassVar[str] = "Guided backprop"
    cite: ClassVar[str] = "Springenberg et al., ICLR workshop 2015"

    def rules(self, model: Model) -> Composite:
        return GuidedRelu()
