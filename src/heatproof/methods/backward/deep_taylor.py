"""Deep Taylor decomposition: relevance by positive contribution alone, from a positive score down to the input.

    R_i = Σ_j x_i w_ij⁺ / Σ_i' x_i' w_i'j⁺ R_j,    first layer: z^B within the model's bounds, or w²

Cost: 2 forward rows (one to see that following the network changes nothing) and 1 backward row an image.
Source: Montavon et al., "Explaining nonlinear classification decisions with deep Taylor decomposition", Pattern Recognition 2017.
Differs from the paper: applies to any network that LRP applies to; a score that is not positive is decomposed
with its sign.
"""

from typing import ClassVar

from torch import Tensor

from heatproof.methods.backward.base import BackwardMethod
from heatproof.methods.base import Explanation
from heatproof.models.model import Model
from heatproof.relevance.composites import Composite
from heatproof.relevance.composites import ZPlusWSquare as Rules
from heatproof.relevance.rules import WSquare, ZBox


class DeepTaylor(BackwardMethod):
    """Nothing speaks against: where the score is positive, so is the map.

    bounded  whether the first layer knows the bounds of its input.
    """

    label: ClassVar[str] = "Deep Taylor"
    cite: ClassVar[str] = "Montavon et al., Pattern Recognition 2017"

    bounded: bool = True

    def rules(self, model: Model) -> Composite:
        return Rules(first=ZBox() if self.bounded else WSquare())

    def conclude(self, values: Tensor, scores: Tensor) -> Explanation:
        """Claim f(x); the gap is the share of it that was lost on the way."""
        return Explanation.plain(values, scores)
