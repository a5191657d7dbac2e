"""A ReLU's derivative smoothed into that of a softplus, R_in = sigmoid(β x) R.

Source: Dombrowski et al., "Explanations can be manipulated and geometry is to blame", NeurIPS 2019.
"""

from collections.abc import Callable

from pydantic import PositiveFloat
from torch import Tensor

from heatproof.relevance.rules.base import ActivationRule


class BetaSmooth(ActivationRule):
    """The gradient of the network with softplus in place of its activations, at the activations of the network itself.

    beta  β; the larger, the nearer the ReLU's step.
    """

    beta: PositiveFloat = 10.0

    def backward(self, x: Tensor, derivative: Callable[[], Tensor], above: Tensor) -> Tensor:
        return (self.beta * x).sigmoid() * above
