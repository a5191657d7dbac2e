"""Guided backpropagation: a gradient passes an activation where it is positive and the activation lets it, R_in = f′(x) max(R, 0).

For a ReLU that is 1[x > 0] 1[R > 0] R.

Source: Springenberg et al., "Striving for simplicity: the all convolutional net", ICLR workshop 2015.
Differs from the paper: defined for any activation by its derivative.
"""

from collections.abc import Callable

from torch import Tensor

from heatproof.relevance.rules.base import ActivationRule, positive


class Guided(ActivationRule):
    """The gradient with everything negative left out on its way."""

    def backward(self, x: Tensor, derivative: Callable[[], Tensor], above: Tensor) -> Tensor:
        return derivative() * positive(above)
