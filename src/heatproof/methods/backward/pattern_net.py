"""PatternNet.

    R_in = L(·; A)ᵀ R,    a = c / (w · c),    c = E⁺[x y] − E⁺[x] E[y]

R and R_in are the signals at the output and the input of a layer L with weights W; R starts as the score f(x), and activations
multiply it by their derivative. A holds the pattern a of each output, in the shape of the weights. w is the weight of the output,
x its input, y = w · x its value without the bias, E the mean over all inputs of the fit, and E⁺ the mean over those for which the
output is active (with the linear estimator, E⁺ = E). For a linear f(x) = w · x the map is a f(x): of x = s p + d q with w · q = 0
it is s p, the signal, and the distractor d q is gone; the gradient is w, which depends on q.

Cost: 2 forward passes (one of them verifies that tracing the network leaves its outputs unchanged) and 1 backward pass an image;
patterns are fitted once for a network, and their passes are counted for no map.
Source: Kindermans et al., "Learning how to explain neural networks: PatternNet and PatternAttribution", ICLR 2018.
Differs from the paper because batch normalisation is fused with the layer before it, patches at the border contain the padding,
and an output that was never active in the fit passes nothing on; nor does a class whose score was not above 0 in any image of the
fit. The method is meant for convolutions, dense layers, ReLU and max pooling: other operations, on which the paper is silent, are
left to the gradient.
"""

from typing import ClassVar

from heatproof.methods.backward.base import PatternMethod
from heatproof.relevance.rules import PatternProjection, PatternRule


class PatternNet(PatternMethod):
    """The score propagated to the image through patterns in place of weights.

    patterns  the patterns that take the place of the weights: `fit_patterns(model, images)`, or a data set that they are fitted
              to; by default the photographs that come with the library, which are no more than a beginning: a dense layer needs
              more images than it has inputs.
    project   whether the signal at the input of each layer is scaled to [−1, 1], image by image, so that it cannot overflow. On a
              network that is a chain of layers, the map keeps its direction and loses its size.

    >>> import torch
    >>> from heatproof.methods import PatternNet
    >>> from heatproof.models.loaders import Toy
    >>> from heatproof.passes.patterns import fit_patterns
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> patterns = fit_patterns(model, torch.rand(16, 1, 28, 28, generator=torch.Generator().manual_seed(0)), estimator="linear")
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> PatternNet(patterns=patterns).attribute(model, images, target=3).values.shape
    torch.Size([2, 1, 28, 28])
    """

    label: ClassVar[str] = "PatternNet"
    cite: ClassVar[str] = "Kindermans et al., ICLR 2018"
    rule: ClassVar[type[PatternRule]] = PatternProjection
