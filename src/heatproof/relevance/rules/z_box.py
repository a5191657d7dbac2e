"""LRP-z^B: for inputs that lie in a box [l, h], z = x W − l W⁺ − h W⁻.

Source: Montavon et al., "Explaining nonlinear classification decisions with deep Taylor decomposition", 2017, eq. 17.
"""

from collections.abc import Sequence

from torch import Tensor

from heatproof.core.errors import ModelError
from heatproof.relevance.linear import LinearLayer, TermGroup
from heatproof.relevance.rules.base import SharingRule, Stabiliser, negative, positive


class ZBox(SharingRule):
    """For the layer that meets the input, whose bounds are the model's. Positive relevance stays positive; the bias cancels.

    stabiliser  of the denominators.
    """

    stabiliser: Stabiliser = Stabiliser(epsilon=0)

    def parts(self, x: Tensor, layer: LinearLayer) -> Sequence[TermGroup]:
        if layer.box is None:
            raise ModelError("z_box: expected a layer that meets the input, whose limits are known; use it as the `first` rule")
        lower, upper = (limit.expand_as(x) for limit in layer.box)
        return [TermGroup([(x, layer.weight), (-lower, positive(layer.weight)), (-upper, negative(layer.weight))])]
