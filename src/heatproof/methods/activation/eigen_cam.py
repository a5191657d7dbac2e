"""Eigen-CAM: the activation along its first principal direction over channels. It knows the network and the image but no class.

    M = O v₁,    O = U Σ Vᵀ the activation as a matrix, positions × channels

v₁ is the first column of V. Its sign is that for which Σ_ij M_ij S_ij ≥ 0, S = Σ_k A_k the sum over channels: M rises where the
layer is active. Where no activation is negative, M is not either.

Cost: 1 forward row an image.
Source: Muhammad & Yeasin, "Eigen-CAM: class activation map using principal components", IJCNN 2020.
Differs from the paper: the sign, which the paper leaves to the decomposition; nothing is scaled for display; `centred=True`
subtracts each channel's mean first, as some implementations do.
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
    """First principal component of the activation; the same for every target.

    layer    name of a module; None = the last one with more than one position, by execution.
    relu     whether negative values become zero; not in the published definition.
    centred  whether each channel's mean over positions is subtracted first.
    """

    label: ClassVar[str] = "Eigen-CAM"
    cite: ClassVar[str] = "Muhammad & Yeasin, IJCNN 2020"

    centred: bool = False

    def signed_maps(self, case: Case) -> tuple[Float[Tensor, "b h w"], tuple[str, ...]]:
        found = [self._first_component(part.values) for _, part in activations(case.model, case.images, case.target, self.layer)]
        return torch.cat(found), ("",) * len(case)

    def _first_component(self, activation: Float[Tensor, "r k h w"]) -> Float[Tensor, "r h w"]:
        matrix = activation.double().flatten(2).transpose(1, 2)
        if self.centred:
            matrix = matrix - matrix.mean(1, keepdim=True)
        u, s, _ = torch.linalg.svd(matrix, full_matrices=False)
        component = u[:, :, 0] * s[:, :1]
        along = (component * matrix.sum(2)).sum(1, keepdim=True)
        return torch.where(along < 0, -component, component).view(len(activation), *activation.shape[2:]).to(activation.dtype)

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(1)
