"""Operations whose output at a place reads its inputs at that place only: elementwise, or along the axes of channels."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from heatproof.partial.operations.base import RegionResult, TracedCall
from heatproof.partial.region import PLANE, Region
from heatproof.relevance.handlers.activations import FUNCTIONS
from heatproof.relevance.handlers.arithmetic import ELEMENTWISE
from heatproof.tracing.catalogue import OUT_OF_PLACE, bound

T = Tensor

_COPIES = (T.contiguous, T.to, T.float, T.double, T.half, T.bfloat16, T.type_as, T.detach, F.dropout, F.dropout1d, F.dropout2d)
"""These may give the tensor itself."""
_OTHERS = (
    *(torch.maximum, torch.minimum, T.maximum, T.minimum, torch.where, T.clone, torch.clone, torch.sign),
    *(torch.floor, T.floor, torch.round, T.round, F.alpha_dropout, F.feature_alpha_dropout, F.dropout3d),
)
_JOINS = (torch.cat, torch.concat)
_ALONG: Mapping[Any, tuple[str, ...]] = {
    **dict.fromkeys((torch.softmax, T.softmax, F.softmax, torch.log_softmax, F.log_softmax, F.glu), ("input", "dim")),
    **dict.fromkeys((torch.cat, torch.concat, torch.stack), ("tensors", "dim")),
    **dict.fromkeys((torch.mean, T.mean, torch.sum, T.sum, torch.amax, T.amax, torch.amin, T.amin), ("input", "dim", "keepdim")),
}
"""Operations along one or more axes, and the names of their arguments."""


def elementwise(call: TracedCall) -> RegionResult | None:
    """Handle a function of the values at each place; its other arguments must be the same at all places."""
    if not all(_same_everywhere(constant, call.regions[0]) for constant in call.constants) or _drops_values(call):
        return None
    if call.func in OUT_OF_PLACE:
        written = call.region_of(call.args[0])
        return None if written is None else call.same_places(written=written)
    return call.same_places(may_alias=call.func in _COPIES, written=call.regions[0] if _in_place(call) else None)


def normalise_batch(call: TracedCall) -> RegionResult | None:
    """Handle batch normalisation by running statistics: a fixed linear function for every channel."""
    arguments = bound(call.func, call.args, call.kwargs, ())
    fixed = not arguments["training"] and arguments["running_mean"] is not None
    return call.same_places() if fixed and _channels_first(call) else None


def bend_channels(call: TracedCall) -> RegionResult | None:
    """Handle a leaky ReLU with one slope per channel."""
    return call.same_places() if _channels_first(call) else None


def normalise_channels(call: TracedCall) -> RegionResult | None:
    """Handle normalisations over the channels of each place."""
    if call.func is F.local_response_norm:
        return call.same_places() if _channels_first(call) else None
    arguments = bound(call.func, call.args, call.kwargs, ())
    return call.same_places() if max(call.regions[0].axes) < -len(arguments["normalized_shape"]) else None


def multiply(call: TracedCall) -> RegionResult | None:
    """Handle a dense layer along the last axis, where that is the channels."""
    input_only = call.region_of(call.args[0]) is not None and len(call.regions) == 1
    return call.same_places() if input_only and max(call.regions[0].axes) < -1 else None


def along(call: TracedCall) -> RegionResult | None:
    """Handle an operation along axes other than height and width; a sum over an axis behind these must keep it with size 1."""
    names, like = _ALONG[call.func], call.regions[0].like
    arguments = {**dict(zip(names, call.args, strict=False)), **call.kwargs}
    dim, new = arguments.get("dim", arguments.get("axis", 0 if names[0] == "tensors" else None)), call.func is torch.stack
    dims = [dim] if isinstance(dim, int) else list(dim or ())
    dims = [d if d < 0 else d - like.ndim - new for d in dims]
    axes = call.regions[0].axes
    if call.constants or not dims or any(d in axes or d == -like.ndim - new for d in dims):
        return None
    if call.func in _JOINS and all(region.like.dtype == like.dtype for region in call.regions):
        return call.same_places(concatenates=dims[0])
    keeps = arguments.get("keepdim", False) or "keepdim" not in names
    return call.same_places() if (keeps and not new) or max(dims) < min(axes) else None


def _in_place(call: TracedCall) -> bool:
    """Return whether the argument `inplace` is true."""
    arguments = call.kwargs if "inplace" in call.kwargs else {}
    if not arguments and any(argument is True for argument in call.args):
        arguments = bound(call.func, call.args, call.kwargs, ())
    return bool(arguments.get("inplace", False))


def _drops_values(call: TracedCall) -> bool:
    """Return whether the call is a dropout that sets values to zero at random."""
    if "dropout" not in getattr(call.func, "__name__", ""):
        return False
    return bool(bound(call.func, call.args, call.kwargs, ()).get("training", True))


def _same_everywhere(constant: Tensor, region: Region) -> bool:
    """Return whether a tensor is the same at all places of a region, as a scalar or one value per channel is."""
    return all(-axis > constant.ndim or constant.shape[axis] == 1 for axis in region.axes)


def _channels_first(call: TracedCall) -> bool:
    region = call.regions[0]
    return len(call.regions) == 1 and region.axes == PLANE and region.like.ndim == 4


_Handler = Callable[[TracedCall], RegionResult | None]
_KINDS: Mapping[_Handler, Sequence[Callable[..., Any]]] = {
    elementwise: (*FUNCTIONS, *ELEMENTWISE, *OUT_OF_PLACE, *_COPIES, *_OTHERS),
    bend_channels: (F.prelu, torch.prelu),
    normalise_batch: (F.batch_norm,),
    normalise_channels: (F.layer_norm, F.rms_norm, F.local_response_norm),
    multiply: (F.linear,),
    along: tuple(_ALONG),
}
HANDLERS: Mapping[Callable[..., Any], _Handler] = {func: handle for handle, functions in _KINDS.items() for func in functions}
