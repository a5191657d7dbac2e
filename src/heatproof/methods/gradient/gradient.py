"""The plain gradient: A(x) = ∇f(x).

Says how the output would change for a small change of each input value; not how much the value contributed.

Cost: 1 forward and 1 backward row an image.
Source: Baehrens et al., "How to explain individual classification decisions", JMLR 2010; Simonyan et al. 2014.
Differs from Simonyan et al.: the signed gradient is kept, not its largest absolute value over channels.
"""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from heatproof.methods.base import Axiom, ProbeMethod
from heatproof.models.model import Model
from heatproof.passes.probes import Probe
from heatproof.perturb.draws import Draws


class Gradient(ProbeMethod):
    """∇f(x), signed."""

    axioms: ClassVar[frozenset[Axiom]] = frozenset({Axiom.DUMMY, Axiom.LINEAR, Axiom.SYMMETRIC})
    cite: ClassVar[str] = "Baehrens et al., JMLR 2010; Simonyan, Vedaldi & Zisserman, ICLR workshop 2014"

    def n_probes(self) -> int:
        return 1

    def probe(self, model: Model, images: Tensor, draws: Draws, k: Sequence[int]) -> Probe:
        """At the image itself, with weight 1."""
        return Probe(at=images, weight=1.0)
