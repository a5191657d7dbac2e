"""The composite of DeconvNet: the gradient, with every activation replaced by a ReLU of the gradient.

Source: Zeiler & Fergus, "Visualizing and understanding convolutional networks", ECCV 2014.
"""

from typing import ClassVar

from heatproof.relevance.composites.base import Composite
from heatproof.relevance.rules import ActivationRule, Deconvolution


class DeconvolutionRelu(Composite):
    """The `deconvolution` rule for activations; every other operation is left to the gradient."""

    relevance: ClassVar[bool] = False

    activation: ActivationRule | None = Deconvolution()
