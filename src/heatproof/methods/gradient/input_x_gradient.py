"""Input times gradient: A(x) = x ⊙ ∇f(x), x in model space.

The first-order part of f(x) − f(0). Sums to f(x) on networks that are homogeneous of degree 1 (ReLU without biases), where it
equals integrated gradients from zero; with biases it is complete only by accident, so it claims nothing.

Cost: 1 forward and 1 backward row an image.
Source: Shrikumar et al., "Not just a black box", 2016.
"""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from heatproof.methods.base import Axiom, ProbeMethod
from heatproof.models.model import Model
from heatproof.passes.probes import Probe
from heatproof.perturb.draws import Draws


class InputXGradient(ProbeMethod):
    """x ⊙ ∇f(x), signed. Zero wherever the model-space input is zero, whatever the network does there."""

    axioms: ClassVar[frozenset[Axiom]] = frozenset({Axiom.DUMMY, Axiom.LINEAR, Axiom.SYMMETRIC})
    label: ClassVar[str] = "Input × gradient"
    cite: ClassVar[str] = "Shrikumar et al., arXiv 1605.01713, 2016"

    def n_probes(self) -> int:
        return 1

    def probe(self, model: Model, images: Tensor, draws: Draws, k: Sequence[int]) -> Probe:
        """At the image itself, weighed by it."""
        return Probe(at=images, weight=images)
