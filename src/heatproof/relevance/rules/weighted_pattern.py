"""The rule of PatternAttribution, for layers: R_in = L(·; W ⊙ A)ᵀ R.

L is the layer with weights W, and A holds the pattern a of each output, with w · a = 1: except at a border, a layer passes on as
much relevance as it receives.

Source: Kindermans et al., "Learning how to explain neural networks: PatternNet and PatternAttribution", ICLR 2018.
"""

from torch import Tensor

from heatproof.relevance.rules.base import PatternRule


class WeightedPattern(PatternRule):
    """The gradient with weights times patterns in place of weights.

    patterns  the patterns, by the name of the parameter that they belong to and in its shape.
    project   whether the signal at the input of a layer is scaled to [−1, 1], image by image.
    """

    def backward_weight(self, weight: Tensor, pattern: Tensor) -> Tensor:
        return weight * pattern
