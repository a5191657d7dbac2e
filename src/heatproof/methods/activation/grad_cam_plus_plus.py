"""Grad-CAM++: channels weighed by their positive gradients, each divided so that small objects count as much as large ones.

    M = ReLU(Σ_k w_k A_k),    w_k = Σ_ij α_kij ReLU(g_kij),    α_kij = g_kij² / (2 g_kij² + g_kij³ Σ_ab A_kab)

A_k channel k of a layer's activation, g = ∂f/∂A, f the explained output. α is computed as 1 / (2 + g Σ A), the same number, in
which small gradients do not vanish; where the denominator is exactly zero, α is.

Cost: 1 forward and 1 backward row an image; the backward ends at the layer.
Source: Chattopadhay et al., "Grad-CAM++: generalized gradient-based visual explanations for deep convolutional networks",
WACV 2018.
Differs from the paper: its score is exp(f), whose derivative is g times exp(f), one number an image, which is left out; the map is
not scaled to [0, 1], and `relu=False` keeps its sign.
"""

from typing import ClassVar

import torch
from torch import Tensor

from heatproof.methods.activation.base import GradientActivationMethod


class GradCamPlusPlus(GradientActivationMethod):
    """Activation weighed by each channel's positive gradients, by position.

    layer  name of a module; None = the last one with more than one position, by execution.
    relu   whether negative values become zero, as published.
    """

    label: ClassVar[str] = "Grad-CAM++"
    cite: ClassVar[str] = "Chattopadhay et al., WACV 2018"

    relu: bool = True

    def combine(self, activation: Tensor, gradient: Tensor) -> Tensor:
        denominator = 2 + gradient * activation.sum((2, 3), keepdim=True)
        alpha = torch.where(denominator != 0, 1 / denominator, 0.0)
        return ((alpha * gradient.relu()).sum((2, 3), keepdim=True) * activation).sum(1)
