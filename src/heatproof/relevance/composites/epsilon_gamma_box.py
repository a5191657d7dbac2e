"""LRP-γ for convolutions, LRP-ε for dense layers, and LRP-z^B for the first layer.

Source: Montavon et al., "Layer-wise relevance propagation: an overview", 2019.
"""

from heatproof.relevance.composites.base import RelevanceComposite
from heatproof.relevance.rules import Epsilon, Gamma, LinearRule, ZBox


class EpsilonGammaBox(RelevanceComposite):
    """The combination of rules that the overview recommends for convolutional networks on images."""

    first: LinearRule | None = ZBox()
    convolution: LinearRule | None = Gamma()
    dense: LinearRule | None = Epsilon()
