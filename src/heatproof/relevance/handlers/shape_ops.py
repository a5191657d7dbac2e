"""Operations that move, copy, cut, join or select values: the gradient carries relevance exactly where it came from."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_leaves

from heatproof.numerics.secants import maxima
from heatproof.relevance.tensor_tags import TensorTags
from heatproof.tracing.catalogue import EXACT_COPIES, INDEXED_WRITES, MAX_POOLING, MAXIMA_OVER_AXES

MAXIMA = (*MAX_POOLING, *MAXIMA_OVER_AXES)
"""The relevance goes to the largest values."""


def carry(interceptor: Any, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """As autograd does it; what was a gate remains one. Dropout in eval mode is no operation, also in place."""
    found = interceptor.differentiate(maxima, func, args, kwargs) if func in MAXIMA else func(*args, **kwargs)
    tags = [interceptor.tags(leaf) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor) and leaf.requires_grad]
    if isinstance(found, Tensor) and found.requires_grad and all(tag.gate for tag in tags):
        interceptor.tag(found, TensorTags(max(tag.depth for tag in tags), gate=True))
    return found


def write(interceptor: Any, _: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> None:
    """`x[index] = value`: out of place, what was written over gets nothing, and the value what its places get."""
    x, index, value = args
    written = x.clone()
    written[index] = value
    depths = [interceptor.tags(leaf).depth for leaf in (x, value) if isinstance(leaf, Tensor) and leaf.requires_grad]
    interceptor.replace_in_place(x, interceptor.tag(written, TensorTags(max(depths))))


HANDLERS = {**dict.fromkeys((*EXACT_COPIES, *MAXIMA), carry), **dict.fromkeys(INDEXED_WRITES, write)}
