"""LRP-z⁺ for convolutions, LRP-ε for dense layers, and LRP-flat for the first layer.

Source: Kohlbrenner et al., "Towards best practice in explaining neural network decisions with LRP", IJCNN 2020.
"""

from heatproof.relevance.composites.base import RelevanceComposite
from heatproof.relevance.rules import Epsilon, Flat, LinearRule, ZPlus


class EpsilonPlusFlat(RelevanceComposite):
    """The composite `epsilon_plus`, with relevance spread evenly over receptive fields at the input."""

    first: LinearRule | None = Flat()
    convolution: LinearRule | None = ZPlus()
    dense: LinearRule | None = Epsilon()
