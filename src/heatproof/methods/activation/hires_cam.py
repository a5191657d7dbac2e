"""HiResCAM.

    M = Σ_k ∂f/∂A_k ⊙ A_k

A_k is channel k of the activation of a layer, and f the explained output. The map M lies on the grid of the layer and is
interpolated to the input as `methods/activation/base.py` describes. Where f is linear in A, M sums to f less its bias, and a
position that f does not use gets zero.

Cost: 1 forward and 1 backward pass an image; the backward pass ends at the layer.
Source: Draelos & Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural networks", 2020.
Differs from the paper because nothing is scaled for display; the formula is the same, and `relu=True` is there for comparison.
"""

from typing import ClassVar

from torch import Tensor

from heatproof.methods.activation.base import GradientActivationMethod


class HiresCam(GradientActivationMethod):
    """The activation of a layer times its gradient, summed over channels, signed.

    layer   the name of a module; None selects the last module with more than one position that the output is computed
            from, in the order of execution.
    layout  the order of the axes of its output; None = what made it decides.
    relu    whether negative values of the map become zero, which is not part of the published definition.

    >>> import torch
    >>> from heatproof.methods import HiresCam
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> HiresCam().on_grid(model, images, target=3).shape
    torch.Size([2, 1, 7, 7])
    """

    label: ClassVar[str] = "HiResCAM"
    cite: ClassVar[str] = "Draelos & Carin, arXiv 2011.08891, 2020"

    def combine(self, activation: Tensor, gradient: Tensor) -> Tensor:
        return (gradient * activation).sum(1)
