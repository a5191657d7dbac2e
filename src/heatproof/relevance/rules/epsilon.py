"""LRP-ε, for layers and normalisations.

    R_i = Σ_j x_i w_ij / (z_j + ε sign z_j) R_j,    z = W x + b

R_j is the relevance of output j, R_i that of input i, x_i is the input, w_ij the weight between them, and ε the stabiliser.

Source: Bach et al., "On pixel-wise explanations for non-linear classifier decisions by layer-wise relevance propagation", PLoS
ONE 2015, eq. 58.
"""

from collections.abc import Sequence

from torch import Tensor

from heatproof.relevance.linear import LinearLayer, TermGroup
from heatproof.relevance.rules.base import LayerNormRule, SharingRule, bias_of


class Epsilon(SharingRule, LayerNormRule):
    """Relevance in proportion to the contributions to an output. With a `stabiliser` of epsilon 0 the rule is LRP-0.

    For operations without weights, such as average pooling, other libraries call this rule "norm".

    stabiliser  the stabiliser of the outputs z.
    bias        whether the bias takes a share of the relevance, which is then absorbed.

    >>> from heatproof.methods import Lrp
    >>> from heatproof.relevance.composites import LrpEpsilon
    >>> from heatproof.relevance.rules import Epsilon, Stabiliser
    >>> Lrp(composite=LrpEpsilon(dense=Epsilon(stabiliser=Stabiliser(epsilon=0.1)))).composite.dense.stabiliser.epsilon
    0.1
    """

    bias: bool = True

    def parts(self, x: Tensor, layer: LinearLayer) -> Sequence[TermGroup]:
        return [TermGroup([(x, layer.weight)], bias_of(layer) if self.bias else 0.0)]
