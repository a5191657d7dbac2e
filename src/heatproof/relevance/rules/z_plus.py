"""LRP-z⁺, for layers: relevance in proportion to positive contributions.

    z⁺ = x⁺ W⁺ + x⁻ W⁻ + b⁺

x is the input of the layer, W its weights and b its bias; ⁺ and ⁻ mark the positive and the negative part. Relevance is
distributed by the terms of z⁺.

Source: Montavon et al., "Explaining nonlinear classification decisions with deep Taylor decomposition", Pattern Recognition 2017;
Bach et al. 2015 (LRP-αβ with α = 1, β = 0).
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from heatproof.relevance.linear import LinearLayer, TermGroup
from heatproof.relevance.rules.base import SharingRule, Stabiliser, bias_of, negative, negligible, positive


class ZPlus(SharingRule):
    """Relevance by positive contributions alone: positive relevance stays positive.

    stabiliser  the stabiliser of the positive parts z⁺; off by default, as published.
    bias        whether the positive part of the bias takes a share of the relevance, which is then absorbed.
    fallback    the treatment of an output without any positive contribution: `none` drops its relevance, as published; `flat`
                spreads it evenly over the inputs, which is heatproof's own. After depthwise convolutions up to half of the
                outputs are such.

    >>> from heatproof.methods import Lrp
    >>> from heatproof.relevance.composites import EpsilonPlus
    >>> from heatproof.relevance.rules import ZPlus
    >>> Lrp(composite=EpsilonPlus(convolution=ZPlus(fallback="flat"))).composite.convolution.fallback
    'flat'
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
