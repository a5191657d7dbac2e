"""LRP-ε for all layers.

Source: Bach et al., "On pixel-wise explanations for non-linear classifier decisions by layer-wise relevance propagation", PLoS
ONE 2015.
"""

from heatproof.relevance.composites.base import RelevanceComposite
from heatproof.relevance.rules import Epsilon, LinearRule


class LrpEpsilon(RelevanceComposite):
    """The ε rule for every layer and every sum."""

    convolution: LinearRule | None = Epsilon()
    dense: LinearRule | None = Epsilon()
