"""LRP-z⁺: relevance by positive contribution, z⁺ = x⁺ W⁺ + x⁻ W⁻ + b⁺.

Source: Montavon et al., "Explaining nonlinear classification decisions with deep Taylor decomposition", 2017; Bach et al. 2015
(α = 1, β = 0).
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from heatproof.relevance.linear import LinearLayer, TermGroup
from heatproof.relevance.rules.base import SharingRule, Stabiliser, bias_of, negative, negligible, positive


class ZPlus(SharingRule):
    """Only what pushes an output up shares its relevance. Positive relevance stays positive.

    stabiliser  of the positive parts z⁺.
    bias        whether the positive part of the bias takes its share.
    fallback    what becomes of an output that nothing pushes up: `none` drops its relevance, `flat` spreads it evenly over its
                inputs. After depthwise convolutions that is up to half of the outputs.
    """

    stabiliser: Stabiliser = Stabiliser(epsilon=0)

    bias: bool = True
    fallback: Literal["none", "flat"] = "none"

    def parts(self, x: Tensor, layer: LinearLayer) -> Sequence[TermGroup]:
        terms = [(positive(x), positive(layer.weight)), (negative(x), negative(layer.weight))]
        bias = positive(torch.as_tensor(bias_of(layer))) if self.bias else 0.0
        if self.fallback == "none":
            return [TermGroup(terms, bias)]
        z = torch.stack([layer.apply(a, w) for a, w in terms]).sum(0) + bias
        bare = negligible(z)
        ones = (torch.ones_like(x), torch.ones_like(layer.weight))
        return [TermGroup(terms, bias, where=(~bare).to(z)), TermGroup([ones], where=bare.to(z))]
