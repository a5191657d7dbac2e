"""Guided backpropagation: the gradient, with everything negative left out at every activation.

    A(x) = ∇f(x) where each activation passes f′ max(R, 0) instead of f′ R

Close to a picture of edges whatever the weights are (Nie et al. 2018; Adebayo et al. 2018): a method to doubt, kept to compare
with.

Cost: 2 forward rows (one to see that following the network changes nothing) and 1 backward row an image.
Source: Springenberg et al., "Striving for simplicity: the all convolutional net", ICLR workshop 2015.
Differs from the paper: works for activations that are called as functions and for others than ReLU, by their derivative.
"""

from typing import ClassVar

from heatproof.methods.backward.base import BackwardMethod
from heatproof.models.model import Model
from heatproof.relevance.composites import Composite
from heatproof.relevance.composites import GuidedRelu as Rules


class GuidedBackprop(BackwardMethod):
    """The gradient with negative parts left out on its way."""

    label: ClassVar[str] = "Guided backprop"
    cite: ClassVar[str] = "Springenberg et al., ICLR workshop 2015"

    def rules(self, model: Model) -> Composite:
        return Rules()
