"""LRP-flat, for layers: equal shares for all inputs of an output.

    R_i = Σ_j R_j / n_j

R_j is the relevance of output j, R_i that of input i, and n_j is the number of inputs of output j.

Source: Lapuschkin et al., "Unmasking Clever Hans predictors and assessing what machines really learn", Nature Communications
2019.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from heatproof.relevance.linear import LinearLayer, TermGroup
from heatproof.relevance.rules.base import SharingRule, Stabiliser


class Flat(SharingRule):
    """Relevance in equal shares, used for the first layer: the map then shows receptive fields instead of pixels.

    stabiliser  the stabiliser of the number of inputs; off by default, as the number is never near zero.
    """

    stabiliser: Stabiliser = Stabiliser(epsilon=0)

    def parts(self, x: Tensor, layer: LinearLayer) -> Sequence[TermGroup]:
        return [TermGroup([(torch.ones_like(x), torch.ones_like(layer.weight))])]
