"""Layer-wise relevance propagation (LRP).

    R_i = Σ_j share_ij R_j,    Σ_i R_i ≈ f(x)

R_j is the relevance of output j of a layer and share_ij the part of it that input i receives; f(x) is the explained score, with
which the propagation starts. The shares are those of the rules of a composite (see `heatproof.relevance.rules`). Biases and
stabilisers absorb relevance, so that Σ R falls short of f(x); the `gap` of the attribution states by how much, relative to f(x).

Cost: 2 forward passes (one of them verifies that tracing the network leaves its outputs unchanged) and 1 backward pass an image.
Source: Bach et al., "On pixel-wise explanations for non-linear classifier decisions by layer-wise relevance propagation", PLoS
ONE 2015.
Differs from the paper because operations are traced while they run, so that residual connections, shared layers, functional
activations and batch normalisation need no preparation; max pooling passes relevance to the largest input.
"""

from typing import ClassVar

from torch import Tensor

from heatproof.methods.backward.base import BackwardMethod
from heatproof.methods.base import Explanation
from heatproof.models.model import Model
from heatproof.relevance.composites import Composite, EpsilonPlus


class Lrp(BackwardMethod):
    """Relevance propagated from the score to the image by the rules of a composite.

    composite  the rule of each kind of operation: by default `epsilon_plus`, LRP-z⁺ for convolutions and LRP-ε for dense layers.

    >>> import torch
    >>> from heatproof.methods import Lrp
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> attribution = Lrp(composite="epsilon_plus").attribute(model, images, target=3)
    >>> attribution.values.shape, attribution.expected_sum.shape
    (torch.Size([2, 1, 28, 28]), torch.Size([2]))
    >>> method = Lrp(composite={"name": "epsilon_plus", "first": "z_box", "layers": {"conv2": "gamma"}})
    >>> method.attribute(model, images, target=3).values.shape
    torch.Size([2, 1, 28, 28])
    """

    label: ClassVar[str] = "LRP"
    cite: ClassVar[str] = "Bach et al., PLoS ONE 2015"

    composite: Composite = EpsilonPlus()

    def rules(self, model: Model) -> Composite:
        return self.composite

    def conclude(self, values: Tensor, scores: Tensor) -> Explanation:
        """The expected sum is f(x); the gap is the share of it that biases and stabilisers absorbed."""
        return Explanation.plain(values, scores)
