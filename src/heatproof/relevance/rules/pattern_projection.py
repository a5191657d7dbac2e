"""PatternProjection: the signal in the input that made the output, R_in = L(·; A)ᵀ R.

A holds the pattern of each output: the direction in which its input varies with it. A weight also cancels what distracts, and
so points elsewhere.

Source: Kindermans et al., "Learning how to explain neural networks: PatternProjection and PatternAttribution", ICLR 2018.
"""

from torch import Tensor

from heatproof.relevance.rules.base import PatternRule


class PatternProjection(PatternRule):
    """The gradient, with patterns in place of weights.

    patterns  by the name of the parameter that they stand for, and shaped as it.
    project   whether what reaches the input of a layer is scaled to [−1, 1], sample by sample.
    """

    def backward_weight(self, weight: Tensor, pattern: Tensor) -> Tensor:
        return pattern
