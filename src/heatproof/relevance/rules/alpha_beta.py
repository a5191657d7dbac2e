"""LRP-αβ, for layers.

    R_in = α R⁺ − β R⁻,    α − β = 1,    z⁺ = x⁺ W⁺ + x⁻ W⁻ + b⁺,    z⁻ = x⁺ W⁻ + x⁻ W⁺ + b⁻

x is the input of a layer, W its weights and b its bias; ⁺ and ⁻ mark the positive and the negative part. R⁺ is the relevance
distributed by positive contributions, with the denominator z⁺, and R⁻ that distributed by negative contributions, with z⁻.

Source: Bach et al., "On pixel-wise explanations for non-linear classifier decisions by layer-wise relevance propagation", PLoS
ONE 2015, eq. 60.
"""

from collections.abc import Sequence
from math import isclose
from typing import Self

import torch
from pydantic import NonNegativeFloat, model_validator
from torch import Tensor

from heatproof.relevance.linear import LinearLayer, TermGroup
from heatproof.relevance.rules.base import SharingRule, bias_of, negative, positive


class AlphaBeta(SharingRule):
    """Positive and negative contributions, weighted separately.

    stabiliser  the stabiliser of both denominators, z⁺ and z⁻.
    alpha       the weight α of positive contributions; 2 by default, LRP-α2β1.
    beta        the weight β of negative contributions; α − β must be 1, so that relevance is conserved.
    bias        whether the bias takes a share: its positive part of R⁺, its negative part of R⁻. That share is absorbed.

    >>> from heatproof.methods import Lrp
    >>> from heatproof.relevance.rules import AlphaBeta
    >>> method = Lrp(composite={"name": "epsilon_plus", "convolution": {"name": "alpha_beta", "alpha": 1, "beta": 0}})
    >>> method.composite.convolution == AlphaBeta(alpha=1, beta=0)
    True
    """

    alpha: NonNegativeFloat = 2.0
    beta: NonNegativeFloat = 1.0
    bias: bool = True

    @model_validator(mode="after")
    def _conserves(self) -> Self:
        if not isclose(self.alpha - self.beta, 1.0, abs_tol=1e-9):
            raise ValueError(f"alpha − beta: expected 1, so that relevance is conserved, got {self.alpha} − {self.beta}")
        return self

    def parts(self, x: Tensor, layer: LinearLayer) -> Sequence[TermGroup]:
        bias = torch.as_tensor(bias_of(layer) if self.bias else 0.0)
        up, down = (positive(x), negative(x)), (positive(layer.weight), negative(layer.weight))
        return [
            TermGroup([(up[0], down[0]), (up[1], down[1])], positive(bias), self.alpha),
            TermGroup([(up[0], down[1]), (up[1], down[0])], negative(bias), -self.beta),
        ]
