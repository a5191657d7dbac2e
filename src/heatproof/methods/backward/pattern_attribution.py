"""PatternAttribution.

    R_in = L(·; W ⊙ A)ᵀ R,    a = c / (w · c),    c = E⁺[x y] − E⁺[x] E[y]

R and R_in are the signals at the output and the input of a layer L with weights W; R starts as the score f(x), and activations
multiply it by their derivative. A holds the pattern a of each output, in the shape of the weights. w is the weight of the output,
x its input, y = w · x its value without the bias, E the mean over all inputs of the fit, and E⁺ the mean over those for which the
output is active (with the linear estimator, E⁺ = E). Since w · a = 1, a layer passes on as much as it receives; the part that
reaches an inactive unit, or falls beyond the border, is lost.

Cost: 2 forward passes (one of them verifies that tracing the network leaves its outputs unchanged) and 1 backward pass an image;
patterns are fitted once for a network, and their passes are counted for no map.
Source: Kindermans et al., "Learning how to explain neural networks: PatternNet and PatternAttribution", ICLR 2018.
Differs from the paper as `pattern_net` does: in batch normalisation, borders, outputs that were never active, and operations on
which the paper is silent.
"""

from typing import ClassVar

from heatproof.methods.backward.base import PatternMethod
from heatproof.relevance.rules import PatternRule, WeightedPattern


class PatternAttribution(PatternMethod):
    """The score propagated to the image through weights times patterns.

    patterns  the patterns that the weights are multiplied by: `fit_patterns(model, images)`, or a data set that they are fitted
              to; by default the photographs that come with the library, which are no more than a beginning: a dense layer needs
              more images than it has inputs.
    project   whether the signal at the input of each layer is scaled to [−1, 1], image by image, so that it cannot overflow. On a
              network that is a chain of layers, the map keeps its direction and loses its size.

    >>> import torch
    >>> from heatproof.methods import PatternAttribution
    >>> from heatproof.models.loaders import Toy
    >>> from heatproof.passes.patterns import fit_patterns
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> patterns = fit_patterns(model, torch.rand(16, 1, 28, 28, generator=torch.Generator().manual_seed(0)), estimator="linear")
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> PatternAttribution(patterns=patterns).attribute(model, images, target=3).values.shape
    torch.Size([2, 1, 28, 28])
    """

    label: ClassVar[str] = "PatternAttribution"
    cite: ClassVar[str] = "Kindermans et al., ICLR 2018"
    rule: ClassVar[type[PatternRule]] = WeightedPattern
