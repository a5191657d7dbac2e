"""Back-projection: the score flows down as a gradient would, but for layers with weights.

Source: Kindermans et al., "Learning how to explain neural networks: PatternNet and PatternAttribution", ICLR 2018.
"""

from heatproof.relevance.composites.base import Composite


class BackProjection(Composite):
    """Activations, sums, products, pooling and normalisations that stand alone are left to the gradient.

    Its rules for layers hold tensors that belong to one network: a method makes it, and no name stands for it.
    """
