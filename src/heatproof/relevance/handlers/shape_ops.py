"""Operations that copy, move, cut, join or select values: the gradient carries relevance exactly to the values that were copied."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_leaves

from heatproof.numerics.average_jacobian import maxima
from heatproof.relevance.handler_context import HandlerContext
from heatproof.relevance.tensor_tags import TensorTags
from heatproof.tracing.catalogue import EXACT_COPIES, INDEXED_WRITES, MAX_POOLING, MAXIMA_OVER_AXES

MAXIMA = (*MAX_POOLING, *MAXIMA_OVER_AXES)
"""The relevance goes to the largest values."""


def copy_values(context: HandlerContext, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Leave relevance to autograd. Copies of gates are gates; dropout in evaluation mode gives the tensor itself, also in place."""
    result = context.differentiate(maxima, func, args, kwargs) if func in MAXIMA else func(*args, **kwargs)
    tags = [context.tags(leaf) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor) and leaf.requires_grad]
    if isinstance(result, Tensor) and result.requires_grad and all(tag.gate for tag in tags):
        context.set_tags(result, TensorTags(max(tag.depth for tag in tags), gate=True))
    return result


def write(context: HandlerContext, _: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> None:
    """`x[index] = value`, out of place: overwritten values get no relevance, and the value gets that of its places."""
    x, index, value = args
    written = x.clone()
    written[index] = value
    depths = [context.tags(leaf).depth for leaf in (x, value) if isinstance(leaf, Tensor) and leaf.requires_grad]
    context.replace_in_place(x, context.set_tags(written, TensorTags(max(depths))))


HANDLERS = {**dict.fromkeys((*EXACT_COPIES, *MAXIMA), copy_values), **dict.fromkeys(INDEXED_WRITES, write)}
