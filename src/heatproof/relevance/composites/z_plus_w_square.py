"""The composite of deep Taylor decomposition: LRP-z⁺ without biases, and LRP-w² for the first layer.

Source: Montavon et al., "Explaining nonlinear classification decisions with deep Taylor decomposition", Pattern Recognition 2017.
"""

from heatproof.relevance.composites.base import RelevanceComposite
from heatproof.relevance.rules import LinearRule, ProportionalToMagnitude, SumRule, WSquare, ZPlus


class ZPlusWSquare(RelevanceComposite):
    """Positive contributions in every layer but the first, whose rule suits inputs of any real value.

    For inputs with bounds, set `first` to `z_box`, as the method `deep_taylor` does.
    """

    first: LinearRule | None = WSquare()
    convolution: LinearRule | None = ZPlus(bias=False)
    dense: LinearRule | None = ZPlus(bias=False)
    sum: SumRule | None = ProportionalToMagnitude()
