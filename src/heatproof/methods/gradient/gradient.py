"""The gradient.

    A(x) = ∇f(x)

x is the image and f the explained output. The gradient says how f would change for a small change of each input value; it does
not say how much that value contributed to f.

Cost: 1 forward and 1 backward pass an image.
Source: Baehrens et al., "How to explain individual classification decisions", JMLR 2010; Simonyan, Vedaldi & Zisserman, "Deep
inside convolutional networks: visualising image classification models and saliency maps", ICLR workshop 2014.
Differs from the paper because the signed gradient is kept, where Simonyan et al. take its largest absolute value over the
channels.
"""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from heatproof.methods.base import Axiom, ProbeMethod
from heatproof.models.model import Model
from heatproof.passes.probes import Probe
from heatproof.perturb.draws import Draws


class Gradient(ProbeMethod):
    """The signed gradient ∇f(x) of the explained output with respect to the image.

    >>> import torch
    >>> from heatproof.methods import Gradient
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> Gradient().attribute(model, images).values.shape
    torch.Size([2, 1, 28, 28])
    """

    axioms: ClassVar[frozenset[Axiom]] = frozenset({Axiom.DUMMY, Axiom.LINEAR, Axiom.SYMMETRIC})
    cite: ClassVar[str] = "Baehrens et al., JMLR 2010; Simonyan, Vedaldi & Zisserman, ICLR workshop 2014"

    def n_probes(self) -> int:
        return 1

    def probe(self, model: Model, images: Tensor, draws: Draws, k: Sequence[int]) -> Probe:
        """The image itself, with weight 1."""
        return Probe(at=images, weight=1.0)
