"""LRP-ε: relevance by contribution, R_i = Σ_j x_i w_ij / (z_j + ε sign z_j) R_j, z = W x + b.

Source: Bach et al., PLoS ONE 2015, eq. 58.
"""

from collections.abc import Sequence

from torch import Tensor

from heatproof.relevance.linear import LinearLayer, TermGroup
from heatproof.relevance.rules.base import LayerNormRule, SharingRule, bias_of


class Epsilon(SharingRule, LayerNormRule):
    """Each input gets its share of the output. LRP-0 for a `stabiliser` of epsilon 0; "norm" elsewhere for layers without weights.

    stabiliser  of the outputs z.
    bias        whether the bias takes its share, which is then absorbed.
    """

    bias: bool = True

    def parts(self, x: Tensor, layer: LinearLayer) -> Sequence[TermGroup]:
        return [TermGroup([(x, layer.weight)], bias_of(layer) if self.bias else 0.0)]
