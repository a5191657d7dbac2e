"""What the interceptor records about each tensor that depends on the input."""

from dataclasses import dataclass

from torch import Tensor

from heatproof.relevance.linear import LinearLayer
from heatproof.relevance.rules import LinearRule


@dataclass(frozen=True)
class ProducingLayer:
    """The layer with weights that made a tensor, its input and its rule: what a batch normalisation after it is fused with."""

    operation: str
    layer: LinearLayer
    x: Tensor
    rule: LinearRule | None


@dataclass(frozen=True)
class TensorTags:
    """What is known of a tensor that depends on the input."""

    depth: int = 0
    """Layers with weights on the way here."""
    gate: bool = False
    """Whether a sigmoid or its like made it."""
    made: ProducingLayer | None = None
