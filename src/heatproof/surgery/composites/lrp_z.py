"""LRP-0 everywhere; on ReLU networks without biases it is input × gradient.

Source: Bach et al., PLoS ONE 2015.
"""

from heatproof.surgery.composites.base import Relevance
from heatproof.surgery.rules import Epsilon, LinearRule, Stabiliser


class LrpZ(Relevance):
    """The plain rule, for comparison: it blows up where outputs nearly cancel."""

    convolution: LinearRule | None = Epsilon(stabiliser=Stabiliser(epsilon=0))
    dense: LinearRule | None = Epsilon(stabiliser=Stabiliser(epsilon=0))
