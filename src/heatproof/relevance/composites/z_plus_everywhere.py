"""LRP-z⁺ everywhere without biases, evenly where nothing pushes up, sums by magnitude: all of the score arrives.

Source: Montavon et al., "Explaining nonlinear classification decisions with deep Taylor decomposition", 2017.
Differs from the paper: relevance of an output without a positive contribution is spread over its inputs, not dropped.
"""

from heatproof.relevance.composites.base import RelevanceComposite
from heatproof.relevance.rules import LinearRule, ProportionalToMagnitude, SumRule, ZPlus


class ZPlusEverywhere(RelevanceComposite):
    """Nothing can blow up and nothing is lost: every share lies between 0 and 1, and shares sum to 1."""

    convolution: LinearRule | None = ZPlus(bias=False, fallback="flat")
    dense: LinearRule | None = ZPlus(bias=False, fallback="flat")
    normalisation: LinearRule | None = ZPlus(bias=False, fallback="flat")
    pool: LinearRule | None = ZPlus(bias=False, fallback="flat")
    sum: SumRule | None = ProportionalToMagnitude()
