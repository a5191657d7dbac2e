"""The rule of guided backpropagation for nonlinearities.

    R_in = f′(x) max(R, 0)

x is the input of the nonlinearity f, and R the gradient of its output. For a ReLU, R_in is R where both x and R are positive, and
0 elsewhere.

Source: Springenberg et al., "Striving for simplicity: the all convolutional net", ICLR workshop 2015.
Differs from the paper because it is defined for any activation, by its derivative.
"""

from collections.abc import Callable

from torch import Tensor

from heatproof.relevance.rules.base import ActivationRule, positive


class Guided(ActivationRule):
    """The gradient, with negative gradients of the output set to zero."""

    def backward(self, x: Tensor, derivative: Callable[[], Tensor], above: Tensor) -> Tensor:
        return derivative() * positive(above)
