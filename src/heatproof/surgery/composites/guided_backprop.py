"""Guided backpropagation: the gradient, with everything negative left out at every activation.

Source: Springenberg et al., "Striving for simplicity: the all convolutional net", ICLR workshop 2015.
"""

from typing import ClassVar

from heatproof.surgery.composites.base import Composite
from heatproof.surgery.rules import ActivationRule, Guided


class GuidedBackprop(Composite):
    """All operations but the activation are left to the gradient."""

    relevance: ClassVar[bool] = False

    activation: ActivationRule | None = Guided()
