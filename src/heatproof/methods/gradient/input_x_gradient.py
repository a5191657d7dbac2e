"""Input times gradient.

    A(x) = x ⊙ ∇f(x)

x is the image in model space and f the explained output. The map is the first-order part of f(x) − f(0). On networks that are
homogeneous of degree 1, such as ReLU networks without biases, it sums to f(x) and equals integrated gradients from a baseline of
zero. With biases it sums to f(x) only by accident, so the method states no expected sum.

Cost: 1 forward and 1 backward pass an image.
Source: Shrikumar et al., "Not just a black box: learning important features through propagating activation differences", arXiv
1605.01713, 2016.
"""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from heatproof.methods.base import FLAT, Axiom, ProbeMethod
from heatproof.models.model import Model
from heatproof.passes.probes import Probe
from heatproof.perturb.draws import Draws


class InputXGradient(ProbeMethod):
    """The image times its gradient, x ⊙ ∇f(x), signed.

    The map is zero wherever the image is zero in model space, whatever the network computes there.

    >>> import torch
    >>> from heatproof.methods import Gradient, InputXGradient
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> attribution = InputXGradient().attribute(model, images)
    >>> torch.equal(attribution.values, images * Gradient().attribute(model, images).values)
    True
    """

    zero_because: ClassVar[str] = f"the gradient is zero wherever the image is not, if it is not zero everywhere ({FLAT})"
    axioms: ClassVar[frozenset[Axiom]] = frozenset({Axiom.DUMMY, Axiom.LINEAR, Axiom.SYMMETRIC})
    label: ClassVar[str] = "Input × gradient"
    cite: ClassVar[str] = "Shrikumar et al., arXiv 1605.01713, 2016"

    def n_probes(self) -> int:
        return 1

    def probe(self, model: Model, images: Tensor, draws: Draws, k: Sequence[int]) -> Probe:
        """The image itself, with the image as the weight."""
        return Probe(at=images, weight=images)
