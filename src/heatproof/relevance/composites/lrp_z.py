"""LRP-0 (LRP-z) for all layers.

Source: Bach et al., "On pixel-wise explanations for non-linear classifier decisions by layer-wise relevance propagation", PLoS
ONE 2015.
"""

from heatproof.relevance.composites.base import RelevanceComposite
from heatproof.relevance.rules import Epsilon, LinearRule, ProportionalToValue, Stabiliser, SumRule

_BARE = Stabiliser(epsilon=0)


class LrpZ(RelevanceComposite):
    """The rule without stabilisers, for comparison: relevance explodes where outputs nearly cancel.

    On ReLU networks without biases the map is input × gradient.
    """

    convolution: LinearRule | None = Epsilon(stabiliser=_BARE)
    dense: LinearRule | None = Epsilon(stabiliser=_BARE)
    normalisation: LinearRule | None = Epsilon(stabiliser=_BARE)
    pool: LinearRule | None = Epsilon(stabiliser=_BARE)
    sum: SumRule | None = ProportionalToValue(stabiliser=_BARE)
