"""The identity rule for nonlinearities and normalisations: R_in = R.

Source: Bach et al., "On pixel-wise explanations for non-linear classifier decisions by layer-wise relevance propagation", PLoS
ONE 2015; for layer normalisation, Achtibat et al., "AttnLRP: attention-aware layer-wise relevance propagation for transformers",
ICML 2024, proposition 3.4.
"""

from typing import Any

from torch import Tensor

from heatproof.core.errors import ModelError
from heatproof.relevance.rules.base import ActivationRule, LayerNormRule


class Identity(ActivationRule, LayerNormRule):
    """Relevance is passed on unchanged, as if the operation were part of the layer before it. Other libraries call this rule
    "pass".
    """

    def backward(self, x: Tensor, _: Any, above: Tensor) -> Tensor:
        if x.shape != above.shape:
            raise ModelError(
                f"identity: expected an operation that keeps its input's shape, got {list(x.shape)} to {list(above.shape)}; "
                "use epsilon there"
            )
        return above
