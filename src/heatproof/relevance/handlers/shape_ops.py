"""Operations that copy, move, cut, join or select values: the gradient carries relevance exactly to the values that were copied."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_leaves

from heatproof.relevance.handler_context import Handler, HandlerContext
from heatproof.relevance.handlers.linear_layers import rearranged
from heatproof.relevance.tensor_tags import ProducingLayer, TensorTags
from heatproof.tracing.catalogue import (
    COPIES_BESIDE_CONSTANTS,
    EXACT_COPIES,
    INDEXED_WRITES,
    MASKED_FILLS,
    SCATTERED_IN_PLACE,
    with_in_place,
)
from heatproof.tracing.expressions import written
from heatproof.tracing.signatures import function_of_tensors


def copy_values(context: HandlerContext, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Leave relevance to autograd. Copies of gates are gates; dropout in evaluation mode gives the tensor itself, also in place."""
    if func in COPIES_BESIDE_CONSTANTS and context.composite.relevance:
        result = context.pass_gradient(func.__name__, func, args, kwargs)
    else:
        result = func(*args, **kwargs)
    tags = [context.tags(leaf) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor) and leaf.requires_grad]
    if isinstance(result, Tensor) and result.requires_grad and all(tag.gate for tag in tags):
        context.set_tags(result, TensorTags(max(tag.depth for tag in tags), gate=True))
    if len(tags) == 1 and tags[0].producer is not None and context.composite.relevance:
        _carry_layer(context, tags[0].producer, result, func, args, kwargs)
    return result


def _carry_layer(
    context: HandlerContext, producer: ProducingLayer, result: Any, func: Callable[..., Any], args: Sequence[Any], kwargs: Any
) -> None:
    """Record that the copied values are a layer's, so that a constant that is added to them counts as its bias."""
    function, (y,) = function_of_tensors(func, args, kwargs, lambda x: x.requires_grad)
    depth, constants = context.tags(y).depth, func in COPIES_BESIDE_CONSTANTS
    for k, leaf in enumerate([result] if isinstance(result, Tensor) else result):
        part = function if isinstance(result, Tensor) else lambda u, k=k: function(u)[k]
        carried = None if leaf is y else rearranged(producer, part, y, constants)
        if carried is not None:
            context.set_tags(leaf, TensorTags(depth, producer=carried))


def fill(context: HandlerContext, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Tensor:
    """A constant written where a mask is true."""
    y: Tensor = copy_values(context, SCATTERED_IN_PLACE.get(func, func), args, kwargs)
    return context.replace_in_place(args[0], y) if func in SCATTERED_IN_PLACE else y


def write(context: HandlerContext, _: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> None:
    """`x[index] = value`, out of place: overwritten values get no relevance, and the value gets that of its places."""
    x, index, value = args
    y = context.pass_gradient("setitem", written, args, {}) if context.composite.relevance else written(x, index, value)
    depths = [context.tags(leaf).depth for leaf in (x, value) if isinstance(leaf, Tensor) and leaf.requires_grad]
    context.replace_in_place(x, context.set_tags(y, TensorTags(max(depths))))


HANDLERS: dict[Callable[..., Any], Handler] = {
    **dict.fromkeys(EXACT_COPIES, copy_values),
    **dict.fromkeys(INDEXED_WRITES, write),
    **dict.fromkeys(with_in_place(MASKED_FILLS), fill),
}
