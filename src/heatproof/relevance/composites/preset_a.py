"""LRP-α1β0 for convolutions, and LRP-ε with ε = 0.1 for dense layers.

Source: Alber et al., "iNNvestigate neural networks!", JMLR 2019.
"""

from heatproof.relevance.composites.base import RelevanceComposite
from heatproof.relevance.rules import AlphaBeta, Epsilon, LinearRule, Stabiliser


class PresetA(RelevanceComposite):
    """The composite that iNNvestigate calls preset A."""

    convolution: LinearRule | None = AlphaBeta(alpha=1, beta=0)
    dense: LinearRule | None = Epsilon(stabiliser=Stabiliser(epsilon=0.1))
