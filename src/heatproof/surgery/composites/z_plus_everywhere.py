"""LRP-z⁺ everywhere, sums by magnitude: conserves, and positive relevance stays positive.

Source: Montavon et al., "Explaining nonlinear classification decisions with deep Taylor decomposition", 2017.
"""

from heatproof.surgery.composites.base import Relevance
from heatproof.surgery.rules import ByMagnitude, LinearRule, SumRule, ZPlus


class ZPlusEverywhere(Relevance):
    """Nothing can blow up: every share lies between 0 and 1."""

    convolution: LinearRule | None = ZPlus()
    dense: LinearRule | None = ZPlus()
    sum: SumRule | None = ByMagnitude()
