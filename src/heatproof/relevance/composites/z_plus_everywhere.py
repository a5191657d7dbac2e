"""LRP-z⁺ without biases for all layers, with equal shares for outputs that have no positive contribution.

Sums are split in proportion to the magnitudes of their terms, so that all of the score reaches the input.

Source: Montavon et al., "Explaining nonlinear classification decisions with deep Taylor decomposition", Pattern Recognition 2017.
Differs from the paper because the relevance of an output without a positive contribution is spread over its inputs, not dropped.
"""

from heatproof.relevance.composites.base import RelevanceComposite
from heatproof.relevance.rules import LinearRule, ProportionalToMagnitude, SumRule, ZPlus


class ZPlusEverywhere(RelevanceComposite):
    """A composite that conserves relevance: every share lies between 0 and 1, and the shares of an output sum to 1."""

    convolution: LinearRule | None = ZPlus(bias=False, fallback="flat")
    dense: LinearRule | None = ZPlus(bias=False, fallback="flat")
    normalisation: LinearRule | None = ZPlus(bias=False, fallback="flat")
    pool: LinearRule | None = ZPlus(bias=False, fallback="flat")
    sum: SumRule | None = ProportionalToMagnitude()
