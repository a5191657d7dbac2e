"""LRP-α2β1 for convolutions and LRP-ε for dense layers.

Source: Kohlbrenner et al., "Towards best practice in explaining neural network decisions with LRP", IJCNN 2020.
"""

from heatproof.relevance.composites.base import RelevanceComposite
from heatproof.relevance.rules import AlphaBeta, Epsilon, LinearRule


class EpsilonAlpha2Beta1(RelevanceComposite):
    """Positive and negative contributions are distributed separately in convolutions."""

    convolution: LinearRule | None = AlphaBeta(alpha=2, beta=1)
    dense: LinearRule | None = Epsilon()
