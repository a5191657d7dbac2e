"""LRP-w²: relevance by squared weight, whatever the input, R_i = Σ_j w_ij² / Σ_i' w_i'j² R_j.

Source: Montavon et al., "Explaining nonlinear classification decisions with deep Taylor decomposition", 2017, eq. 12.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from heatproof.relevance.linear import LinearLayer, TermGroup
from heatproof.relevance.rules.base import SharingRule, Stabiliser


class WSquare(SharingRule):
    """For inputs that may be any real number, zero among them.

    stabiliser  of the sums of squares.
    """

    stabiliser: Stabiliser = Stabiliser(epsilon=0)

    def parts(self, x: Tensor, layer: LinearLayer) -> Sequence[TermGroup]:
        return [TermGroup([(torch.ones_like(x), layer.weight.square())])]
