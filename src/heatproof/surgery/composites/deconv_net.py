"""DeconvNet: the gradient, with every activation replaced by a ReLU on what flows backward.

Source: Zeiler & Fergus, "Visualizing and understanding convolutional networks", ECCV 2014.
"""

from typing import ClassVar

from heatproof.surgery.composites.base import Composite
from heatproof.surgery.rules import ActivationRule, Deconvolution


class DeconvNet(Composite):
    """All operations but the activation are left to the gradient."""

    relevance: ClassVar[bool] = False

    activation: ActivationRule | None = Deconvolution()
