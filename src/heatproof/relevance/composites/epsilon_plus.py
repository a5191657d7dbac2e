"""LRP-z⁺ for convolutions, LRP-ε for dense layers.

Source: Kohlbrenner et al., "Towards best practice in explaining neural network decisions with LRP", IJCNN 2020.
"""

from heatproof.relevance.composites.base import RelevanceComposite
from heatproof.relevance.rules import Epsilon, LinearRule, ZPlus


class EpsilonPlus(RelevanceComposite):
    """Smooth, positive below, discriminating above."""

    convolution: LinearRule | None = ZPlus()
    dense: LinearRule | None = Epsilon()
