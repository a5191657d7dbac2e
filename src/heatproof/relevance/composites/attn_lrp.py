"""AttnLRP: LRP-ε for layers, half of the relevance for each factor of a product, and the Taylor rule for the softmax.

Source: Achtibat et al., "AttnLRP: attention-aware layer-wise relevance propagation for transformers", ICML 2024.
"""

from heatproof.relevance.composites.base import RelevanceComposite
from heatproof.relevance.rules import Epsilon, EqualSplit, LinearRule, ProductRule


class AttnLrp(RelevanceComposite):
    """LRP for transformers, in which queries and keys receive relevance too, not values alone."""

    convolution: LinearRule | None = Epsilon()
    dense: LinearRule | None = Epsilon()
    product: ProductRule | None = EqualSplit()
