"""DeconvNet: the gradient, with every activation replaced by a ReLU on what flows backward.

    A(x) = ∇f(x) where each activation passes max(R, 0) instead of f′ R

Cost: 2 forward rows (one to see that following the network changes nothing) and 1 backward row an image.
Source: Zeiler & Fergus, "Visualizing and understanding convolutional networks", ECCV 2014.
Differs from the paper: begins at the explained output, not at a feature map; any activation is treated as a ReLU is.
"""

from typing import ClassVar

from heatproof.methods.backward.base import BackwardMethod
from heatproof.models.model import Model
from heatproof.relevance.composites import Composite
from heatproof.relevance.composites import DeconvolutionRelu as Rules


class DeconvNet(BackwardMethod):
    """The gradient with activations looking at what comes from above alone."""

    label: ClassVar[str] = "DeconvNet"
    cite: ClassVar[str] = "Zeiler & Fergus, ECCV 2014"

    def rules(self, model: Model) -> Composite:
        return Rules()
