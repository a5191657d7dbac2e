"""LRP-ε everywhere.

Source: Bach et al., PLoS ONE 2015.
"""

from heatproof.surgery.composites.base import Relevance
from heatproof.surgery.rules import Epsilon, LinearRule


class LrpEpsilon(Relevance):
    """One rule for all layers."""

    convolution: LinearRule | None = Epsilon()
    dense: LinearRule | None = Epsilon()
