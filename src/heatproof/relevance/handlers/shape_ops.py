"""Operations that move, copy, cut, join or select values: the gradient carries relevance exactly where it came from."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._pytree import tree_leaves

from heatproof.numerics.average_jacobian import maxima
from heatproof.relevance.tensor_tags import TensorTags

T = Tensor

EXACT: Sequence[Callable[..., Any]] = (
    *(T.view, T.reshape, T.flatten, T.permute, T.transpose, T.contiguous, T.clone, T.squeeze, T.unsqueeze, T.expand),
    *(T.expand_as, T.view_as, T.chunk, T.split, T.unbind, T.select, T.narrow, T.flip, T.roll, T.repeat, T.movedim, T.swapaxes),
    *(T.__getitem__, T.to, T.float, T.double, T.type_as, T.unflatten, T.t, T.index_select, T.gather, T.masked_fill),
    *(T.T.__get__, T.mT.__get__, T.unfold, T.repeat_interleave, T.reshape_as, T.tensor_split, T.ravel, T.swapdims, T.tile),  # type: ignore[attr-defined]
    *(torch.flatten, torch.reshape, torch.permute, torch.transpose, torch.swapaxes, torch.swapdims, torch.squeeze),
    *(torch.unsqueeze, torch.cat, torch.concat, torch.stack, torch.chunk, torch.split, torch.unbind, torch.select, torch.narrow),
    *(torch.flip, torch.roll, torch.movedim, torch.clone, torch.unflatten, torch.index_select, torch.gather, torch.tensor_split),
    *(torch.masked_fill, torch.where, torch.t, torch.ravel, torch.tile, torch.hstack, torch.vstack, torch.rot90),
    *(F.pad, F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout, F.feature_alpha_dropout, F.pixel_shuffle),
    *(F.pixel_unshuffle, F.channel_shuffle, F.unfold),
    *(torch.channel_shuffle, torch.pixel_shuffle, T.requires_grad_),
)
_MAXIMA = (
    *(F.max_pool1d, F.max_pool2d, F.max_pool3d, F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d),
    *(torch.max_pool1d, torch.max_pool2d, torch.max_pool3d, torch.amax, T.amax),
)
"""These pass relevance to the winners."""


def carry(interceptor: Any, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """As autograd does it; what was a gate remains one. Dropout in eval mode is no operation, also in place."""
    found = interceptor.differentiate(maxima, func, args, kwargs) if func in _MAXIMA else func(*args, **kwargs)
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
    interceptor.stands_for(x, interceptor.tag(written, TensorTags(max(depths))))


HANDLERS = {**dict.fromkeys([*EXACT, *_MAXIMA], carry), T.__setitem__: write}
