"""Products a b of two factors that both depend on the input: half of the relevance each.

Source: Achtibat et al., "AttnLRP: attention-aware layer-wise relevance propagation for transformers", ICML 2024, proposition 3.3.
"""

from heatproof.relevance.rules.base import ProductRule


class EqualSplit(ProductRule):
    """Both factors are as much to be thanked."""

    def share(self, gates: tuple[bool, bool]) -> tuple[float, float]:
        return 0.5, 0.5
