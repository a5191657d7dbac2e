"""LRP-z⁺ everywhere without biases, evenly where nothing pushes up, sums by magnitude: all of the score arrives.

Source: Montavon et al., "Explaining nonlinear classification decisions with deep Taylor decomposition", 2017.
Differs from the paper: relevance of an output without a positive contribution is spread over its inputs, not dropped.
"""

from heatproof.relevance.composites.base import Relevance
from heatproof.relevance.rules import ByMagnitude, LinearRule, SumRule, ZPlus


class ZPlusEverywhere(Relevance):
    """Nothing can blow up and nothing is lost: every share lies between 0 and 1, and shares sum to 1."""

    convolution: LinearRule | None = ZPlus(bias=False, fallback="flat")
    dense: LinearRule | None = ZPlus(bias=False, fallback="flat")
    normalisation: LinearRule | None = ZPlus(bias=False, fallback="flat")
    pool: LinearRule | None = ZPlus(bias=False, fallback="flat")
    sum: SumRule | None = ByMagnitude()
