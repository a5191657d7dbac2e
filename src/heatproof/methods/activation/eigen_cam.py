"""Eigen-CAM, which depends on the network and the image but on no class.

    M = O v₁,    O = U Σ Vᵀ the activation as a matrix, positions × channels

v₁ is the first column of V. The sign of M is that for which Σ_ij M_ij S_ij ≥ 0, where S = Σ_k A_k is the sum over channels, so
that M is large where the layer is active. Where no activation is negative, M is not negative either.

Cost: 1 forward pass an image.
Source: Muhammad & Yeasin, "Eigen-CAM: class activation map using principal components", IJCNN 2020.
Differs from the paper because it fixes the sign, which the paper leaves to the decomposition; because nothing is scaled for
display; and because `centred=True` first subtracts the mean of each channel, as some implementations do.
"""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from heatproof.methods.activation.base import ActivationMethod
from heatproof.methods.base import Case
from heatproof.passes.activation import activations
from heatproof.passes.counting import ImageShape, PassCount


class EigenCam(ActivationMethod):
    """The first principal component of the activation of a layer; the same for every target.

    layer    the name of a module; None selects the last module with more than one position that the output is
             computed from, in the order of execution.
    layout   the order of the axes of its output; None = what made it decides.
    relu     whether negative values of the map become zero, which is not part of the published definition.
    centred  whether the mean of each channel over positions is subtracted first; not in the published definition.

    >>> import torch
    >>> from heatproof.methods import EigenCam
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> EigenCam().on_grid(model, images).shape
    torch.Size([2, 1, 7, 7])
    """

    label: ClassVar[str] = "Eigen-CAM"
    cite: ClassVar[str] = "Muhammad & Yeasin, IJCNN 2020"

    centred: bool = False

    @property
    def class_discriminative(self) -> bool:
        return False

    def signed_maps(self, case: Case) -> tuple[Float[Tensor, "b *grid"], tuple[str, ...]]:
        maps = [
            self._first_component(part.values)
            for _, part in activations(case.model, case.images, case.target, self.layer, self.layout)
        ]
        return torch.cat(maps), ("",) * len(case)

    def _first_component(self, activation: Float[Tensor, "r k *grid"]) -> Float[Tensor, "r *grid"]:
        matrix = activation.double().flatten(2).transpose(1, 2)
        if self.centred:
            matrix = matrix - matrix.mean(1, keepdim=True)
        u, s, _ = torch.linalg.svd(matrix, full_matrices=False)
        component = u[:, :, 0] * s[:, :1]
        along = (component * matrix.sum(2)).sum(1, keepdim=True)
        return torch.where(along < 0, -component, component).view(len(activation), *activation.shape[2:]).to(activation.dtype)

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(1)
