"""LayerCAM: activation times positive gradient, value by value, for any layer.

    M = ReLU(Σ_k ReLU(∂f/∂A_k) ⊙ A_k)

A_k channel k of a layer's activation, f the explained output. Weights differ by position, so that early layers, of fine grids,
serve as well.

Cost: 1 forward and 1 backward row an image; the backward ends at the layer.
Source: Jiang et al., "LayerCAM: exploring hierarchical class activation maps for localization", IEEE TIP 2021.
Differs from the paper: maps of several layers are not fused, and a map is not scaled; `relu=False` leaves out the outer ReLU, which
changes nothing where activations are not negative.
"""

from typing import ClassVar

from torch import Tensor

from heatproof.methods.activation.base import GradientActivationMethod


class LayerCam(GradientActivationMethod):
    """Activation weighed by the positive gradient of each value.

    layer  name of a module; None = the last one with more than one position, by execution.
    relu   whether negative values become zero, as published.
    """

    label: ClassVar[str] = "LayerCAM"
    cite: ClassVar[str] = "Jiang et al., IEEE TIP 2021"

    relu: bool = True

    def combine(self, activation: Tensor, gradient: Tensor) -> Tensor:
        return (gradient.relu() * activation).sum(1)
