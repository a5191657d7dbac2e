"""The Taylor rule for the softmax, its first-order expansion at the input.

    R_in = x ⊙ (R − p Σ R)

x is the input of the softmax, p its output, and R the relevance of p.

Source: Achtibat et al., "AttnLRP: attention-aware layer-wise relevance propagation for transformers", ICML 2024, proposition 3.1.
"""

from torch import Tensor

from heatproof.relevance.rules.base import SoftmaxRule


class Taylor(SoftmaxRule):
    """The inputs of the softmax, such as attention scores, receive relevance; the remainder of the expansion is absorbed."""

    def backward(self, x: Tensor, p: Tensor, above: Tensor, axis: int) -> Tensor:
        return x * (above - p * above.sum(axis, keepdim=True))
