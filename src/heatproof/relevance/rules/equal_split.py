"""The uniform rule for products a b: each factor receives half of the relevance.

Source: Achtibat et al., "AttnLRP: attention-aware layer-wise relevance propagation for transformers", ICML 2024, proposition 3.3.
"""

from heatproof.relevance.rules.base import ProductRule


class EqualSplit(ProductRule):
    """Relevance is split equally between the two factors."""

    def share(self, gates: tuple[bool, bool]) -> tuple[float, float]:
        return 0.5, 0.5
