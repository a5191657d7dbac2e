"""LRP-w², for layers: relevance in proportion to squared weights, whatever the input is.

    R_i = Σ_j w_ij² / Σ_i' w_i'j² R_j

R_j is the relevance of output j, R_i that of input i, and w_ij is the weight between them.

Source: Montavon et al., "Explaining nonlinear classification decisions with deep Taylor decomposition", Pattern Recognition 2017,
eq. 12.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from heatproof.relevance.linear import LinearLayer, TermGroup
from heatproof.relevance.rules.base import SharingRule, Stabiliser


class WSquare(SharingRule):
    """Relevance in proportion to squared weights, for inputs that may be any real number, zero included.

    stabiliser  the stabiliser of the sums of squares; off by default, as published.
    """

    stabiliser: Stabiliser = Stabiliser(epsilon=0)

    def parts(self, x: Tensor, layer: LinearLayer) -> Sequence[TermGroup]:
        return [TermGroup([(torch.ones_like(x), layer.weight.square())])]
