"""LRP-α2β1 for convolutions, LRP-ε for dense layers, and LRP-flat for the first layer.

Source: Kohlbrenner et al., "Towards best practice in explaining neural network decisions with LRP", IJCNN 2020.
"""

from heatproof.relevance.composites.base import RelevanceComposite
from heatproof.relevance.rules import AlphaBeta, Epsilon, Flat, LinearRule


class EpsilonAlpha2Beta1Flat(RelevanceComposite):
    """The composite `epsilon_alpha2_beta1`, with relevance spread evenly over receptive fields at the input."""

    first: LinearRule | None = Flat()
    convolution: LinearRule | None = AlphaBeta(alpha=2, beta=1)
    dense: LinearRule | None = Epsilon()
