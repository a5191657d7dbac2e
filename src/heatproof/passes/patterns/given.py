"""Patterns that were computed beforehand, as `fit_patterns` returns them."""

from collections.abc import Mapping

from torch import Tensor

from heatproof.models.model import Model
from heatproof.numerics.frozen_tensor import ALLOW_TENSORS, FrozenTensor
from heatproof.passes.patterns.base import Patterns


class GivenPatterns(Patterns):
    """Patterns given as tensors, which are part of the settings.

    tensors  The patterns by the names of their parameters, such as `features.0.weight`, each of its parameter's shape.
    """

    model_config = ALLOW_TENSORS

    tensors: Mapping[str, FrozenTensor]

    def of(self, model: Model) -> Mapping[str, Tensor]:
        return self.tensors

    def __str__(self) -> str:
        return f"given({self.digest[:8]})"
