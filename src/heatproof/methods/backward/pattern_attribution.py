"""PatternAttribution: what the signal in each pixel adds to the score.

    R_in = L(·; W ⊙ A)ᵀ R    from R = f(x) down, activations by their derivative,    a = c / (w · c),    c = E⁺[x y] − E⁺[x] E[y]

A has the pattern a of each output in the place of its weights w. Since w · a = 1, a layer passes on as much as it gets; what
arrives at an activation that is closed, or falls beyond the border, is lost.

Cost: 2 forward rows (one to see that following the network changes nothing) and 1 backward row an image; patterns are fitted once
for a network, which is counted for no map.
Source: Kindermans et al., "Learning how to explain neural networks: PatternNet and PatternAttribution", ICLR 2018.
Differs from the paper: as `pattern_net` does, by batch normalisation, borders, outputs that were never active, and operations of
which the paper does not speak.
"""

from typing import ClassVar

from heatproof.methods.backward.base import PatternMethod
from heatproof.relevance.rules import PatternRule
from heatproof.relevance.rules import WeightedPattern as Rule


class PatternAttribution(PatternMethod):
    """The score shared out by weight times pattern.

    patterns  what stands beside the weights: `fit_patterns(model, images)`, or a data set to fit them to. A dense layer wants more
              images than it has inputs: the photographs that come with the library are no more than a beginning.
    project   whether what reaches the input of a layer is scaled to [−1, 1], sample by sample, so that it cannot overflow. On a
              network that is a chain, the map keeps its direction and loses its size.
    """

    label: ClassVar[str] = "PatternAttribution"
    cite: ClassVar[str] = "Kindermans et al., ICLR 2018"
    rule: ClassVar[type[PatternRule]] = Rule
