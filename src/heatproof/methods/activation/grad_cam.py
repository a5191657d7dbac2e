"""Grad-CAM: channels weighed by their mean gradient.

    M = ReLU(Σ_k w_k A_k),    w_k = 1/Z Σ_ij ∂f/∂A_kij

A_k channel k of a layer's activation, Z its positions, f the explained output. M lies on the layer's grid and is brought to the
input as `methods/activation/base.py` says. Where f is linear in the mean of A over positions, M is CAM / Z.

Cost: 1 forward and 1 backward row an image; the backward ends at the layer.
Source: Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based localization", ICCV 2017, eqs. 1, 2.
Differs from the paper: the map is not scaled to [0, 1], and `relu=False` keeps its sign.
"""

from typing import ClassVar

from torch import Tensor

from heatproof.methods.activation.base import GradientActivationMethod


class GradCam(GradientActivationMethod):
    """Activation weighed by each channel's mean gradient.

    layer  name of a module; None = the last one with more than one position, by execution.
    relu   whether negative values become zero, as published.
    """

    label: ClassVar[str] = "Grad-CAM"
    cite: ClassVar[str] = "Selvaraju et al., ICCV 2017"

    relu: bool = True

    def combine(self, activation: Tensor, gradient: Tensor) -> Tensor:
        return (gradient.mean((2, 3), keepdim=True) * activation).sum(1)
