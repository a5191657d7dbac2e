"""Grad-CAM++.

    M = ReLU(Σ_k w_k A_k),    w_k = Σ_ij α_kij ReLU(g_kij),    α_kij = g_kij² / (2 g_kij² + g_kij³ Σ_ab A_kab)

A_k is channel k of the activation of a layer, g = ∂f/∂A, and f the explained output. The divisor makes small objects count as
much as large ones. α is computed as 1 / (2 + g Σ A), which is the same number and keeps small gradients from underflowing; where
the denominator is exactly zero, α is zero.

Cost: 1 forward and 1 backward pass an image; the backward pass ends at the layer.
Source: Chattopadhay et al., "Grad-CAM++: generalized gradient-based visual explanations for deep convolutional networks", WACV
2018.
Differs from the paper because its score is exp(f), whose derivative is g times exp(f), one number an image, which is left out;
and because the map is not scaled to [0, 1], and `relu=False` keeps its sign.
"""

from typing import ClassVar

import torch
from torch import Tensor

from heatproof.methods.activation.base import GradientActivationMethod, places


class GradCamPlusPlus(GradientActivationMethod):
    """The activation of a layer, each channel weighted by its positive gradients with a coefficient per position.

    layer   the name of a module; None selects the last module with more than one position that the output is computed
            from, in the order of execution.
    layout  the order of the axes of its output; None = what made it decides.
    relu    whether negative values of the map become zero, as published.

    >>> import torch
    >>> from heatproof.methods import GradCamPlusPlus
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> GradCamPlusPlus().on_grid(model, images, target=3).shape
    torch.Size([2, 1, 7, 7])
    """

    label: ClassVar[str] = "Grad-CAM++"
    cite: ClassVar[str] = "Chattopadhay et al., WACV 2018"

    relu: bool = True

    def combine(self, activation: Tensor, gradient: Tensor) -> Tensor:
        denominator = 2 + gradient * activation.sum(places(activation), keepdim=True)
        alpha = torch.where(denominator != 0, 1 / denominator, 0.0)
        return ((alpha * gradient.relu()).sum(places(activation), keepdim=True) * activation).sum(1)
