"""Softmax taken as constant: R_in = 0, so that attention weighs and gets nothing itself.

Source: Ali et al., "XAI for transformers: better explanations through conservative propagation", ICML 2022.
Differs from the paper: what comes from above is absorbed; leave it to the values with `product = "signal"`, and there is none.
"""

from torch import Tensor

from heatproof.relevance.rules.base import SoftmaxRule


class Constant(SoftmaxRule):
    """Nothing passes."""

    def backward(self, x: Tensor, p: Tensor, above: Tensor, axis: int) -> Tensor:
        return above.new_zeros(x.shape)
