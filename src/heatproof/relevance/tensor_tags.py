"""What the interceptor records about each tensor that depends on the input."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from heatproof.relevance.linear import LinearLayer
from heatproof.relevance.rules import LinearRule
from heatproof.tracing.expressions import Expression


@dataclass(frozen=True)
class ProducingLayer:
    """The layer with weights that made a tensor, to be fused with a batch normalisation or an added constant that follows.

    Attributes:
        operation: Its name in the list of leaks.
        layer: The layer.
        x: Its input.
        rule: Its rule; None for the gradient.
    """

    operation: str
    layer: LinearLayer
    x: Tensor
    rule: LinearRule | None


@dataclass(frozen=True)
class TensorTags:
    """The record of one tensor.

    Attributes:
        depth: Number of layers with weights between the input and the tensor, on the longest way.
        gate: Whether a sigmoid, a softmax or a similar function made the tensor, so that it weighs other signals.
        producer: The layer with weights that made the tensor; None if another operation did.
        mask: Whether the tensor is a mask, made by comparing values that depend on the input; it has no gradient.
        expressions: What earlier tensors the tensor is a function of, value by value.
    """

    depth: int = 0
    gate: bool = False
    producer: ProducingLayer | None = None
    mask: bool = False
    expressions: Sequence[Expression] = ()
