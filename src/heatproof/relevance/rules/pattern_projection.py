"""The rule of PatternNet, for layers: R_in = L(·; A)ᵀ R.

L is the layer, and A holds the pattern of each output in the place of its weight: the direction in which the input of the layer
varies with the output. A weight points elsewhere, because it also cancels distractors.

Source: Kindermans et al., "Learning how to explain neural networks: PatternNet and PatternAttribution", ICLR 2018.
"""

from torch import Tensor

from heatproof.relevance.rules.base import PatternRule


class PatternProjection(PatternRule):
    """The gradient with patterns in place of weights.

    patterns  the patterns, by the name of the parameter that they replace and in its shape.
    project   whether the signal at the input of a layer is scaled to [−1, 1], image by image.
    """

    def backward_weight(self, weight: Tensor, pattern: Tensor) -> Tensor:
        return pattern
