"""Deep Taylor decomposition: LRP-z⁺ without biases, LRP-w² for the first layer.

Source: Montavon et al., "Explaining nonlinear classification decisions with deep Taylor decomposition", 2017.
"""

from heatproof.relevance.composites.base import Relevance
from heatproof.relevance.rules import ByMagnitude, LinearRule, SumRule, WSquare, ZPlus


class ZPlusBox(Relevance):
    """For inputs that may be any real number; `first` = z_box for inputs with bounds."""

    first: LinearRule | None = WSquare()
    convolution: LinearRule | None = ZPlus(bias=False)
    dense: LinearRule | None = ZPlus(bias=False)
    sum: SumRule | None = ByMagnitude()
