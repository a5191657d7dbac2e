"""LRP-w²: relevance by squared weight, whatever the input, R_i = Σ_j w_ij² / Σ_i' w_i'j² R_j.

Source: Montavon et al., "Explaining nonlinear classification decisions with deep Taylor decomposition", 2017, eq. 12.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from heatproof.surgery.linear import Linear, Part
from heatproof.surgery.rules.base import SharingRule, Stabiliser


class WSquare(SharingRule):
    """For inputs that may be any real number, zero among them.

    stabiliser  of the sums of squares.
    """

    stabiliser: Stabiliser = Stabiliser(epsilon=0)

    def parts(self, x: Tensor, layer: Linear) -> Sequence[Part]:
        return [Part([(torch.ones_like(x), layer.weight.square())])]
