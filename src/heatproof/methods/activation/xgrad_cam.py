"""XGrad-CAM: channels weighed by their gradients' mean, weighed in turn by the activation.

    M = Σ_k w_k A_k,    w_k = Σ_ij A_kij g_kij / Σ_ij A_kij

A_k channel k of a layer's activation, g = ∂f/∂A, f the explained output. Each channel keeps its Σ g ⊙ A: where f is linear in A, M
sums to f less its bias. A channel whose activations sum to exactly zero gets weight zero.

Cost: 1 forward and 1 backward row an image; the backward ends at the layer.
Source: Fu et al., "Axiom-based Grad-CAM: towards accurate visualization and explanation of CNNs", BMVC 2020.
Differs from the paper: not in its formula; nothing is scaled for display, and `relu=True` is there for comparison. Where a layer's
activations have both signs, a channel's sum may be close to zero and its weight huge; the paper's are not negative.
"""

from typing import ClassVar

import torch
from torch import Tensor

from heatproof.methods.activation.base import GradientActivationMethod


class XgradCam(GradientActivationMethod):
    """Activation weighed by each channel's gradient, averaged by activation; signed.

    layer  name of a module; None = the last one with more than one position, by execution.
    relu   whether negative values become zero; not in the published definition.
    """

    label: ClassVar[str] = "XGrad-CAM"
    cite: ClassVar[str] = "Fu et al., BMVC 2020"

    def combine(self, activation: Tensor, gradient: Tensor) -> Tensor:
        mass = activation.sum((2, 3), keepdim=True)
        weights = torch.where(mass != 0, (gradient * activation).sum((2, 3), keepdim=True) / mass, 0.0)
        return (weights * activation).sum(1)
