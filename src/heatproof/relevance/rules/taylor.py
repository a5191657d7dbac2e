"""Softmax by its Taylor expansion at the input: R_in = x ⊙ (R − p Σ R).

Source: Achtibat et al., "AttnLRP: attention-aware layer-wise relevance propagation for transformers", ICML 2024, proposition 3.1.
"""

from torch import Tensor

from heatproof.relevance.rules.base import SoftmaxRule


class Taylor(SoftmaxRule):
    """Scores that attention is made of get their part; what the expansion leaves over is absorbed."""

    def backward(self, x: Tensor, p: Tensor, above: Tensor, axis: int) -> Tensor:
        return x * (above - p * above.sum(axis, keepdim=True))
