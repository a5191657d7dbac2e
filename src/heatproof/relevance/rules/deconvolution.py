"""The rule of DeconvNet for nonlinearities: R_in = max(R, 0).

R is the gradient of the output; it is passed on where it is positive, whatever the input was.

Source: Zeiler & Fergus, "Visualizing and understanding convolutional networks", ECCV 2014.
Differs from the paper because every activation is treated as a ReLU is. Max pooling returns to the largest inputs of the image,
as their switches do.
"""

from collections.abc import Callable

from torch import Tensor

from heatproof.relevance.rules.base import ActivationRule, positive


class Deconvolution(ActivationRule):
    """A ReLU of the gradient, in place of the derivative of the activation."""

    def backward(self, x: Tensor, derivative: Callable[[], Tensor], above: Tensor) -> Tensor:
        return positive(above)
