"""DeconvNet: a gradient passes an activation where it is positive, whatever came in, R_in = max(R, 0).

Source: Zeiler & Fergus, "Visualizing and understanding convolutional networks", ECCV 2014.
Differs from the paper: max pooling goes back to the winners of this very image, as with their switches; any activation is treated
as a ReLU is.
"""

from collections.abc import Callable

from torch import Tensor

from heatproof.relevance.rules.base import ActivationRule, positive


class Deconvolution(ActivationRule):
    """A ReLU applied to what flows backward instead of its derivative."""

    def backward(self, x: Tensor, derivative: Callable[[], Tensor], above: Tensor) -> Tensor:
        return positive(above)
