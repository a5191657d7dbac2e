"""Excitation backprop: relevance by positive weight times activation, without biases, everywhere.

Source: Zhang et al., "Top-down neural attention by excitation backprop", ECCV 2016; IJCV 2018.
Differs from the paper: starts with the score, not with a probability of 1, and an input that is negative speaks for an output by a
negative weight, so that the layer that meets the image needs no shift.
"""

from heatproof.relevance.composites.base import RelevanceComposite
from heatproof.relevance.rules import LinearRule, ProportionalToMagnitude, SumRule, ZPlus


class Excitation(RelevanceComposite):
    """Winners take all, in proportion: what inhibits gets nothing, and what nothing excites passes nothing on."""

    convolution: LinearRule | None = ZPlus(bias=False)
    dense: LinearRule | None = ZPlus(bias=False)
    normalisation: LinearRule | None = ZPlus(bias=False)
    pool: LinearRule | None = ZPlus(bias=False)
    sum: SumRule | None = ProportionalToMagnitude()
