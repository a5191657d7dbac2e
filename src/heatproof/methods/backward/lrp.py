"""Layer-wise relevance propagation: the score is shared out, layer by layer, until it lies on the input.

    R_i = Σ_j share_ij R_j,    Σ_i R_i ≈ f(x)

The shares are those of a composite's rules (see `heatproof.relevance.rules`). Σ R falls short of f(x) by what biases and
stabilisers absorb; `gap` says by how much, relative to f(x).

Cost: 2 forward rows (one to see that following the network changes nothing) and 1 backward row an image.
Source: Bach et al., "On pixel-wise explanations for non-linear classifier decisions by layer-wise relevance propagation",
PLoS ONE 2015.
Differs from the paper: operations are followed as they run, so that residual connections, shared layers, functional activations and
batch normalisation need no preparation; max pooling gives to the winner.
"""

from typing import ClassVar

from torch import Tensor

from heatproof.methods.backward.base import BackwardMethod
from heatproof.methods.base import Explanation
from heatproof.models.model import Model
from heatproof.relevance.composites import Composite, EpsilonPlus


class Lrp(BackwardMethod):
    """Relevance by the rules of a composite.

    composite  which rule where.
    """

    label: ClassVar[str] = "LRP"
    cite: ClassVar[str] = "Bach et al., PLoS ONE 2015"

    composite: Composite = EpsilonPlus()

    def rules(self, model: Model) -> Composite:
        return self.composite

    def conclude(self, values: Tensor, scores: Tensor) -> Explanation:
        """Claim f(x); the gap is the share of it that biases and stabilisers absorbed."""
        return Explanation.plain(values, scores)
