"""LRP-0 everywhere; on ReLU networks without biases it is input × gradient.

Source: Bach et al., PLoS ONE 2015.
"""

from heatproof.relevance.composites.base import RelevanceComposite
from heatproof.relevance.rules import Epsilon, LinearRule, ProportionalToValue, Stabiliser, SumRule

_BARE = Stabiliser(epsilon=0)


class LrpZ(RelevanceComposite):
    """The plain rule, for comparison: it blows up where outputs nearly cancel."""

    convolution: LinearRule | None = Epsilon(stabiliser=_BARE)
    dense: LinearRule | None = Epsilon(stabiliser=_BARE)
    normalisation: LinearRule | None = Epsilon(stabiliser=_BARE)
    pool: LinearRule | None = Epsilon(stabiliser=_BARE)
    sum: SumRule | None = ProportionalToValue(stabiliser=_BARE)
