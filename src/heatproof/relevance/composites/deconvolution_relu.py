"""DeconvolutionRelu: the gradient, with every activation replaced by a ReLU on what flows backward.

Source: Zeiler & Fergus, "Visualizing and understanding convolutional networks", ECCV 2014.
"""

from typing import ClassVar

from heatproof.relevance.composites.base import Composite
from heatproof.relevance.rules import ActivationRule, Deconvolution


class DeconvolutionRelu(Composite):
    """All operations but the activation are left to the gradient."""

    relevance: ClassVar[bool] = False

    activation: ActivationRule | None = Deconvolution()
