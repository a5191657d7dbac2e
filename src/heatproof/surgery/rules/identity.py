"""Relevance passes a nonlinearity as it is, R_in = R.

Source: Bach et al., PLoS ONE 2015, section "Layer-wise relevance propagation for non-linear activations".
"""

from collections.abc import Callable

from torch import Tensor

from heatproof.surgery.rules.base import ActivationRule


class Identity(ActivationRule):
    """The activation is taken as part of the layer before it."""

    def backward(self, x: Tensor, derivative: Callable[[], Tensor], above: Tensor) -> Tensor:
        return above
