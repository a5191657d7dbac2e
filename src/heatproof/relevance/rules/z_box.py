"""LRP-z^B, for the first layer, whose inputs lie in a box [l, h].

    z = x W − l W⁺ − h W⁻

x is the input, W the weights, and l and h are the lower and the upper bound of the model's input; ⁺ and ⁻ mark the positive and
the negative part. Relevance is distributed by the terms of z.

Source: Montavon et al., "Explaining nonlinear classification decisions with deep Taylor decomposition", Pattern Recognition 2017,
eq. 17.
"""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from heatproof.core.errors import ModelError
from heatproof.relevance.linear import LinearLayer, TermGroup
from heatproof.relevance.rules.base import SharingRule, Stabiliser, negative, positive


class ZBox(SharingRule):
    """Relevance by contributions relative to the bounds of the input. Positive relevance stays positive, and the bias takes no
    share.

    stabiliser  the stabiliser of the denominators z; off by default, as published.
    """

    needs_bounds: ClassVar[bool] = True

    stabiliser: Stabiliser = Stabiliser(epsilon=0)

    def parts(self, x: Tensor, layer: LinearLayer) -> Sequence[TermGroup]:
        if layer.box is None:
            raise ModelError("z_box: expected a layer that meets the input, whose limits are known; use it as the `first` rule")
        lower, upper = (limit.expand_as(x) for limit in layer.box)
        return [TermGroup([(x, layer.weight), (-lower, positive(layer.weight)), (-upper, negative(layer.weight))])]
