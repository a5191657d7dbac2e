"""LayerCAM.

    M = ReLU(Σ_k ReLU(∂f/∂A_k) ⊙ A_k)

A_k is channel k of the activation of a layer, and f the explained output. The weights differ by position, so that early layers,
whose grids are fine, serve as well.

Cost: 1 forward and 1 backward pass an image; the backward pass ends at the layer.
Source: Jiang et al., "LayerCAM: exploring hierarchical class activation maps for localization", IEEE TIP 2021.
Differs from the paper because maps of several layers are not fused and a map is not scaled; `relu=False` leaves out the outer
ReLU, which changes nothing where no activation is negative.
"""

from typing import ClassVar

from torch import Tensor

from heatproof.methods.activation.base import GradientActivationMethod


class LayerCam(GradientActivationMethod):
    """The activation of a layer, each value weighted by its positive gradient.

    layer   the name of a module; None selects the last module with more than one position that the output is computed
            from, in the order of execution.
    layout  the order of the axes of its output; None = what made it decides.
    relu    whether negative values of the map become zero, as published.

    >>> import torch
    >>> from heatproof.methods import LayerCam
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> LayerCam(layer="conv1").on_grid(model, images, target=3).shape
    torch.Size([2, 1, 28, 28])
    """

    label: ClassVar[str] = "LayerCAM"
    cite: ClassVar[str] = "Jiang et al., IEEE TIP 2021"

    relu: bool = True

    def combine(self, activation: Tensor, gradient: Tensor) -> Tensor:
        return (gradient.relu() * activation).sum(1)
