"""Guided backpropagation: the gradient, with everything negative left out at every activation.

Source: Springenberg et al., "Striving for simplicity: the all convolutional net", ICLR workshop 2015.
"""

from typing import ClassVar

from heatproof.relevance.composites.base import Composite
from heatproof.relevance.rules import ActivationRule, Guided


class GuidedRelu(Composite):
    """All operations but the activation are left to the gradient."""

    relevance: ClassVar[bool] = False

    activation: ActivationRule | None = Guided()
