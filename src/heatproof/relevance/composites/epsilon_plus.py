"""LRP-z⁺ for convolutions and LRP-ε for dense layers.

Source: Kohlbrenner et al., "Towards best practice in explaining neural network decisions with LRP", IJCNN 2020.
"""

from heatproof.relevance.composites.base import RelevanceComposite
from heatproof.relevance.rules import Epsilon, LinearRule, ZPlus


class EpsilonPlus(RelevanceComposite):
    """A composite for convolutional networks: z⁺ gives smooth, positive relevance in the convolutions, and ε keeps the classes
    apart in the dense layers.

    >>> from heatproof.methods import Lrp
    >>> from heatproof.relevance.composites import EpsilonPlus
    >>> Lrp(composite="epsilon_plus").composite == EpsilonPlus()
    True
    """

    convolution: LinearRule | None = ZPlus()
    dense: LinearRule | None = Epsilon()
