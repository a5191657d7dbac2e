"""Deep Taylor decomposition: LRP-z⁺ without biases, LRP-w² for the first layer.

Source: Montavon et al., "Explaining nonlinear classification decisions with deep Taylor decomposition", 2017.
"""

from heatproof.relevance.composites.base import RelevanceComposite
from heatproof.relevance.rules import LinearRule, ProportionalToMagnitude, SumRule, WSquare, ZPlus


class ZPlusWSquare(RelevanceComposite):
    """For inputs that may be any real number; `first` = z_box for inputs with bounds."""

    first: LinearRule | None = WSquare()
    convolution: LinearRule | None = ZPlus(bias=False)
    dense: LinearRule | None = ZPlus(bias=False)
    sum: SumRule | None = ProportionalToMagnitude()
