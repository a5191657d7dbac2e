"""The composite of guided backpropagation: the gradient, with negative gradients set to zero at every activation.

Source: Springenberg et al., "Striving for simplicity: the all convolutional net", ICLR workshop 2015.
"""

from typing import ClassVar

from heatproof.relevance.composites.base import Composite
from heatproof.relevance.rules import ActivationRule, Guided


class GuidedRelu(Composite):
    """The `guided` rule for activations; every other operation is left to the gradient."""

    relevance: ClassVar[bool] = False

    activation: ActivationRule | None = Guided()
