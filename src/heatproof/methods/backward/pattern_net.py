"""PatternNet: the signal in the image that the score is made of.

    R_in = L(·; A)ᵀ R    from R = f(x) down, activations by their derivative,    a = c / (w · c),    c = E⁺[x y] − E⁺[x] E[y]

A has the pattern a of each output in the place of its weights w. For a linear f(x) = w · x the map is a f(x): of x = s p + d q with
w · q = 0 it is s p, the signal, and the distractor d q is gone; the gradient is w, which depends on q.

Cost: 2 forward rows (one to see that following the network changes nothing) and 1 backward row an image; patterns are fitted once
for a network, which is counted for no map.
Source: Kindermans et al., "Learning how to explain neural networks: PatternNet and PatternAttribution", ICLR 2018.
Differs from the paper: batch normalisation is fused with the layer before it, patches at the border hold the padding, and an output
that was never active passes nothing on; so does a class that was not above 0 in any image of the fit. Meant for convolutions, dense
layers, ReLU and max pooling: what else a network has is left to the gradient, of which the paper does not speak.
"""

from typing import ClassVar

from heatproof.methods.backward.base import PatternMethod
from heatproof.relevance.rules import PatternProjection as Rule
from heatproof.relevance.rules import PatternRule


class PatternNet(PatternMethod):
    """The score back-projected through patterns instead of weights.

    patterns  what stands for the weights: `fit_patterns(model, images)`, or a data set to fit them to. A dense layer wants more
              images than it has inputs: the photographs that come with the library are no more than a beginning.
    project   whether what reaches the input of a layer is scaled to [−1, 1], sample by sample, so that it cannot overflow. On a
              network that is a chain, the map keeps its direction and loses its size.
    """

    label: ClassVar[str] = "PatternNet"
    cite: ClassVar[str] = "Kindermans et al., ICLR 2018"
    rule: ClassVar[type[PatternRule]] = Rule
