"""HiResCAM: gradient times activation, value by value.

    M = Σ_k ∂f/∂A_k ⊙ A_k

A_k channel k of a layer's activation, f the explained output. M lies on the layer's grid and is brought to the input as
`methods/activation/base.py` says. Where f is linear in A, M sums to f less its bias, and a place that f does not use gets zero.

Cost: 1 forward and 1 backward row an image; the backward ends at the layer.
Source: Draelos & Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural networks", 2020.
Differs from the paper: not where its formula goes; nothing is scaled for display, and `relu=True` is there for comparison.
"""

from typing import ClassVar

from torch import Tensor

from heatproof.methods.activation.base import GradientActivationMethod


class HiresCam(GradientActivationMethod):
    """Gradient times activation, summed over channels; signed.

    layer  name of a module; None = the last one with more than one position, by execution.
    relu   whether negative values become zero; not in the published definition.
    """

    label: ClassVar[str] = "HiResCAM"
    cite: ClassVar[str] = "Draelos & Carin, arXiv 2011.08891, 2020"

    def combine(self, activation: Tensor, gradient: Tensor) -> Tensor:
        return (gradient * activation).sum(1)
