"""AttnLRP: LRP-ε, half of the relevance to each factor of every product, the softmax linearised.

Source: Achtibat et al., "AttnLRP: attention-aware layer-wise relevance propagation for transformers", ICML 2024.
"""

from heatproof.relevance.composites.base import RelevanceComposite
from heatproof.relevance.rules import Epsilon, EqualSplit, LinearRule, ProductRule


class AttnLrp(RelevanceComposite):
    """For transformers: queries and keys get their part, not values alone."""

    convolution: LinearRule | None = Epsilon()
    dense: LinearRule | None = Epsilon()
    product: ProductRule | None = EqualSplit()
