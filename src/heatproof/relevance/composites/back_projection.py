"""Back-projection: layers with weights follow a rule, and every other operation is left to the gradient.

Source: Kindermans et al., "Learning how to explain neural networks: PatternNet and PatternAttribution", ICLR 2018.
"""

from heatproof.relevance.composites.base import Composite


class BackProjection(Composite):
    """Rules for convolutions and dense layers, with relevance that starts as the score.

    Activations, sums, products, pooling and normalisations that stand alone are left to the gradient. The rules hold tensors that
    belong to one network, so that a method builds this composite for each network, and it has no name in the registry.
    """
