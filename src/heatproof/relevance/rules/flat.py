"""LRP-flat: relevance in equal shares to all inputs of an output, R_i = Σ_j R_j / n_j.

Source: Lapuschkin et al., "Unmasking Clever Hans predictors and assessing what machines really learn", Nature Communications 2019.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from heatproof.relevance.linear import LinearLayer, TermGroup
from heatproof.relevance.rules.base import SharingRule, Stabiliser


class Flat(SharingRule):
    """Tells where, not what: for the first layer, to see receptive fields instead of pixels.

    stabiliser  of the numbers of inputs.
    """

    stabiliser: Stabiliser = Stabiliser(epsilon=0)

    def parts(self, x: Tensor, layer: LinearLayer) -> Sequence[TermGroup]:
        return [TermGroup([(torch.ones_like(x), torch.ones_like(layer.weight))])]
