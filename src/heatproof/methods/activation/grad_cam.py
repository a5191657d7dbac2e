"""Grad-CAM.

    M = ReLU(Σ_k w_k A_k),    w_k = 1/Z Σ_ij ∂f/∂A_kij

A_k is channel k of the activation of a layer, Z its number of positions, and f the explained output. The map M lies on the grid
of the layer and is interpolated to the input as `methods/activation/base.py` describes. Where f is linear in the mean of A over
positions, M is CAM / Z.

Cost: 1 forward and 1 backward pass an image; the backward pass ends at the layer.
Source: Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based localization", ICCV 2017, eqs. 1,
2.
Differs from the paper because the map is not scaled to [0, 1], and `relu=False` keeps its sign.
"""

from typing import ClassVar

from torch import Tensor

from heatproof.methods.activation.base import GradientActivationMethod, places


class GradCam(GradientActivationMethod):
    """The activation of a layer, each channel weighted by its mean gradient.

    layer   the name of a module; None selects the last module with more than one position that the output is computed
            from, in the order of execution.
    layout  the order of the axes of its output; None = what made it decides.
    relu    whether negative values of the map become zero, as published.

    >>> import torch
    >>> from heatproof.methods import GradCam
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> GradCam(layer="conv2").attribute(model, images, target=3).values.shape
    torch.Size([2, 1, 28, 28])
    """

    label: ClassVar[str] = "Grad-CAM"
    cite: ClassVar[str] = "Selvaraju et al., ICCV 2017"

    relu: bool = True

    def combine(self, activation: Tensor, gradient: Tensor) -> Tensor:
        return (gradient.mean(places(gradient), keepdim=True) * activation).sum(1)
