"""Patterns that are at hand, as `fit_patterns` returns them."""

from collections.abc import Mapping

from torch import Tensor

from heatproof.models.model import Model
from heatproof.numerics.frozen_tensor import ALLOW_TENSORS, FrozenTensor
from heatproof.passes.patterns.base import Patterns


class GivenPatterns(Patterns):
    """Tensors that were fitted before: nothing is left to do, and settings hold them whole.

    tensors  by the name of the parameter they belong to (`features.0.weight`), shaped as it.
    """

    model_config = ALLOW_TENSORS

    tensors: Mapping[str, FrozenTensor]

    def of(self, model: Model) -> Mapping[str, Tensor]:
        return self.tensors

    def __str__(self) -> str:
        return f"given({self.digest[:8]})"
