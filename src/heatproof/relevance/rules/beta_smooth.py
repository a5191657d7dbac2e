"""β-smoothing, for nonlinearities: the derivative of a ReLU replaced by that of a softplus.

    R_in = sigmoid(β x) R

x is the input of the nonlinearity, and R the gradient of its output.

Source: Dombrowski et al., "Explanations can be manipulated and geometry is to blame", NeurIPS 2019.
"""

from collections.abc import Callable

from pydantic import PositiveFloat
from torch import Tensor

from heatproof.relevance.rules.base import ActivationRule


class BetaSmooth(ActivationRule):
    """The gradient of the network with softplus in place of its activations, evaluated at the activations of the network itself.

    beta  the sharpness β of the softplus, 10 by default: the larger it is, the closer the derivative is to that of a ReLU.
    """

    beta: PositiveFloat = 10.0

    def backward(self, x: Tensor, derivative: Callable[[], Tensor], above: Tensor) -> Tensor:
        return (self.beta * x).sigmoid() * above
