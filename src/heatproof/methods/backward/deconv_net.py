"""DeconvNet.

    A(x) = ∇f(x), where each activation y = g(u) passes max(R, 0) instead of g′(u) R

f is the explained output and R the gradient that arrives at the output of the activation.

Cost: 2 forward passes (one of them verifies that tracing the network leaves its outputs unchanged) and 1 backward pass an image.
Source: Zeiler & Fergus, "Visualizing and understanding convolutional networks", ECCV 2014.
Differs from the paper because it begins at the explained output, not at a feature map, and treats every activation as it does a
ReLU.
"""

from typing import ClassVar

from heatproof.methods.backward.base import BackwardMethod
from heatproof.models.model import Model
from heatproof.relevance.composites import Composite, DeconvolutionRelu


class DeconvNet(BackwardMethod):
    """The gradient, with every activation replaced in the backward pass by a ReLU of the gradient.

    >>> import torch
    >>> from heatproof.methods import DeconvNet
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> DeconvNet().attribute(model, images, target=3).values.shape
    torch.Size([2, 1, 28, 28])
    """

    label: ClassVar[str] = "DeconvNet"
    cite: ClassVar[str] = "Zeiler & Fergus, ECCV 2014"

    def rules(self, model: Model) -> Composite:
        return DeconvolutionRelu()
