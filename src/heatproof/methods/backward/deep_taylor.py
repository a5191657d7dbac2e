"""Deep Taylor decomposition.

    R_i = Σ_j x_i w_ij⁺ / Σ_i' x_i' w_i'j⁺ R_j

R_j is the relevance of output j of a layer, x_i an input of it, w_ij⁺ the positive part of the weight between them, and R_i the
relevance of the input. The first layer follows the z^B rule within the bounds of the model, or the w² rule. Relevance starts as
the explained score and follows positive contributions alone, so that the map is positive where the score is.

Cost: 2 forward passes (one of them verifies that tracing the network leaves its outputs unchanged) and 1 backward pass an image.
Source: Montavon et al., "Explaining nonlinear classification decisions with deep Taylor decomposition", Pattern Recognition 2017.
Differs from the paper because it applies to any network that LRP applies to, and because a score that is not positive is
decomposed with its sign.
"""

from typing import ClassVar

from torch import Tensor

from heatproof.methods.backward.base import BackwardMethod
from heatproof.methods.base import Explanation
from heatproof.models.model import Model
from heatproof.relevance.composites import Composite, ZPlusWSquare
from heatproof.relevance.rules import WSquare, ZBox


class DeepTaylor(BackwardMethod):
    """Relevance by positive contributions alone, which has the sign of the score everywhere.

    bounded  whether the first layer follows the z^B rule, which uses the bounds of the model's input (eq. 17 of the paper);
             otherwise it follows the w² rule for inputs of any real value (eq. 12).

    >>> import torch
    >>> from heatproof.methods import DeepTaylor
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> attribution = DeepTaylor().attribute(model, images)
    >>> positive = (attribution.values >= 0).flatten(1).all(1)
    >>> bool((positive == (attribution.expected_sum > 0)).all())
    True
    """

    label: ClassVar[str] = "Deep Taylor"
    cite: ClassVar[str] = "Montavon et al., Pattern Recognition 2017"

    bounded: bool = True

    @property
    def needs_bounds(self) -> bool:
        return self.bounded

    def rules(self, model: Model) -> Composite:
        return ZPlusWSquare(first=ZBox() if self.bounded else WSquare())

    def conclude(self, values: Tensor, scores: Tensor) -> Explanation:
        """The expected sum is f(x); the gap is the share of it that the rules did not pass on."""
        return Explanation.plain(values, scores)
