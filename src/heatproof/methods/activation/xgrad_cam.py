"""XGrad-CAM.

    M = Σ_k w_k A_k,    w_k = Σ_ij A_kij g_kij / Σ_ij A_kij

A_k is channel k of the activation of a layer, g = ∂f/∂A, and f the explained output. Each channel of M sums to Σ g ⊙ A: where f
is linear in A, M sums to f less its bias. A channel whose activations sum to exactly zero gets the weight zero.

Cost: 1 forward and 1 backward pass an image; the backward pass ends at the layer.
Source: Fu et al., "Axiom-based Grad-CAM: towards accurate visualization and explanation of CNNs", BMVC 2020.
Differs from the paper because nothing is scaled for display; the formula is the same, and `relu=True` is there for comparison.
Where the activations of a layer have both signs, the sum of a channel may be close to zero and its weight huge; the activations
in the paper are not negative.
"""

from typing import ClassVar

import torch
from torch import Tensor

from heatproof.methods.activation.base import GradientActivationMethod, places


class XgradCam(GradientActivationMethod):
    """The activation of a layer, each channel weighted by an average of its gradient; signed.

    The activation is the weight in that average.

    layer   the name of a module; None selects the last module with more than one position that the output is computed
            from, in the order of execution.
    layout  the order of the axes of its output; None = what made it decides.
    relu    whether negative values of the map become zero, which is not part of the published definition.

    >>> import torch
    >>> from heatproof.methods import XgradCam
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> XgradCam().on_grid(model, images, target=3).shape
    torch.Size([2, 1, 7, 7])
    """

    label: ClassVar[str] = "XGrad-CAM"
    cite: ClassVar[str] = "Fu et al., BMVC 2020"

    def combine(self, activation: Tensor, gradient: Tensor) -> Tensor:
        over = places(activation)
        mass = activation.sum(over, keepdim=True)
        weights = torch.where(mass != 0, (gradient * activation).sum(over, keepdim=True) / mass, 0.0)
        return (weights * activation).sum(1)
