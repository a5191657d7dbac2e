"""LRP-ε everywhere.

Source: Bach et al., PLoS ONE 2015.
"""

from heatproof.relevance.composites.base import RelevanceComposite
from heatproof.relevance.rules import Epsilon, LinearRule


class LrpEpsilon(RelevanceComposite):
    """One rule for all layers."""

    convolution: LinearRule | None = Epsilon()
    dense: LinearRule | None = Epsilon()
