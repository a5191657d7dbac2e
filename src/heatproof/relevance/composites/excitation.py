"""Excitation backprop: relevance in proportion to positive weight times activation, without biases, in every layer.

Source: Zhang et al., "Top-down neural attention by excitation backprop", ECCV 2016; IJCV 2018.
Differs from the paper because propagation starts with the score, not with a probability of 1, and because a negative input counts
as excitatory through a negative weight, so that the first layer, whose inputs are pixels, needs no shift.
"""

from heatproof.relevance.composites.base import RelevanceComposite
from heatproof.relevance.rules import LinearRule, ProportionalToMagnitude, SumRule, ZPlus


class Excitation(RelevanceComposite):
    """Relevance reaches the inputs that excite an output, in proportion.

    An inhibiting input receives none, and an output that no input excites passes none on.
    """

    convolution: LinearRule | None = ZPlus(bias=False)
    dense: LinearRule | None = ZPlus(bias=False)
    normalisation: LinearRule | None = ZPlus(bias=False)
    pool: LinearRule | None = ZPlus(bias=False)
    sum: SumRule | None = ProportionalToMagnitude()
