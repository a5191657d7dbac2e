"""LRP-αβ: positive and negative contributions apart, R = α R⁺ − β R⁻ with α − β = 1.

    z⁺ = x⁺ W⁺ + x⁻ W⁻ + b⁺,    z⁻ = x⁺ W⁻ + x⁻ W⁺ + b⁻

Source: Bach et al., PLoS ONE 2015, eq. 60.
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
    """Evidence for and evidence against, weighed apart.

    stabiliser  of both denominators.
    alpha       weight of what pushes up.
    beta        weight of what pushes down; α − β = 1.
    bias        whether the bias takes its share, its positive part with the one and its negative part with the other.
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
