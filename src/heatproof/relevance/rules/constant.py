"""The softmax held constant: R_in = 0.

No relevance reaches the input of the softmax, so that attention weighs the values and receives no relevance itself.

Source: Ali et al., "XAI for transformers: better explanations through conservative propagation", ICML 2022.
Differs from the paper because relevance that arrives at the softmax is absorbed. None arrives with `product = "signal_take_all"`,
which counts the output of a softmax as a gate and gives all relevance to the values; with `product = "equal_split"` half of it
does.
"""

from torch import Tensor

from heatproof.relevance.rules.base import SoftmaxRule


class Constant(SoftmaxRule):
    """No relevance is propagated through the softmax."""

    def backward(self, x: Tensor, p: Tensor, above: Tensor, axis: int) -> Tensor:
        return above.new_zeros(x.shape)
