"""Relevance passes an operation as it is, R_in = R: a nonlinearity, or a normalisation.

Source: Bach et al., PLoS ONE 2015, section "Layer-wise relevance propagation for non-linear activations"; for layer
normalisation, Achtibat et al., ICML 2024, proposition 3.4.
"""

from typing import Any

from torch import Tensor

from heatproof.core.errors import ModelError
from heatproof.relevance.rules.base import ActivationRule, LayerNormRule


class Identity(ActivationRule, LayerNormRule):
    """What the operation did is taken as part of the layer before it; elsewhere called "pass"."""

    def backward(self, x: Tensor, _: Any, above: Tensor) -> Tensor:
        if x.shape != above.shape:
            raise ModelError(
                f"identity: expected an operation that keeps its input's shape, got {list(x.shape)} to {list(above.shape)}; "
                "use epsilon there"
            )
        return above
