"""WeightedPattern: what the signal of each input adds to the output, R_in = L(·; W ⊙ A)ᵀ R.

A holds the pattern of each output, with w · a = 1: where a layer meets no border, it passes on as much as it gets.

Source: Kindermans et al., "Learning how to explain neural networks: PatternNet and WeightedPattern", ICLR 2018.
"""

from torch import Tensor

from heatproof.relevance.rules.base import PatternRule


class WeightedPattern(PatternRule):
    """The gradient, with weights times patterns in place of weights.

    patterns  by the name of the parameter that they belong to, and shaped as it.
    project   whether what reaches the input of a layer is scaled to [−1, 1], sample by sample.
    """

    def backward_weight(self, weight: Tensor, pattern: Tensor) -> Tensor:
        return weight * pattern
