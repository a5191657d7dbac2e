"""LRP-γ, for layers, with inputs of any sign: contributions of the output's own sign count 1 + γ times.

    z > 0:  z_γ = x⁺ (W + γ W⁺) + x⁻ (W + γ W⁻) + b + γ b⁺
    z < 0:  z_γ = x⁺ (W + γ W⁻) + x⁻ (W + γ W⁺) + b + γ b⁻

x is the input of the layer, W its weights, b its bias, and z = W x + b its output; ⁺ and ⁻ mark the positive and the negative
part. Relevance is distributed by the terms of z_γ. γ → ∞ is z⁺ on outputs that are positive; γ = 0 is LRP-ε.

Source: Montavon et al., "Layer-wise relevance propagation: an overview", 2019 (x ≥ 0); the general form is Andéol et al., 2023.
"""

from collections.abc import Sequence

import torch
from pydantic import NonNegativeFloat
from torch import Tensor

from heatproof.relevance.linear import LinearLayer, TermGroup
from heatproof.relevance.rules.base import SharingRule, bias_of, negative, positive


class Gamma(SharingRule):
    """Contributions that agree with the sign of the output count more, to a degree.

    stabiliser  the stabiliser of the denominators z_γ.
    gamma       the degree γ ≥ 0, by which agreeing contributions are increased.
    bias        whether the bias takes a share of the relevance, which is then absorbed.
    """

    gamma: NonNegativeFloat = 0.25
    bias: bool = True

    def parts(self, x: Tensor, layer: LinearLayer) -> Sequence[TermGroup]:
        weight, bias = layer.weight, torch.as_tensor(bias_of(layer) if self.bias else 0.0)
        z = layer.apply(x, weight) + bias_of(layer)
        up, down = weight + self.gamma * positive(weight), weight + self.gamma * negative(weight)
        return [
            TermGroup([(positive(x), up), (negative(x), down)], bias + self.gamma * positive(bias), where=(z > 0).to(z)),
            TermGroup([(positive(x), down), (negative(x), up)], bias + self.gamma * negative(bias), where=(z < 0).to(z)),
        ]
