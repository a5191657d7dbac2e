"""Operations that see one place at a time: functions of one value, of several tensors, along channels; and what joins channels."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from heatproof.partial.region import PLANE, Region, RegionResult, TracedCall
from heatproof.tracing import catalogue
from heatproof.tracing.catalogue import OUT_OF_PLACE
from heatproof.tracing.signatures import bind_arguments

_COPIES = (*catalogue.CONTIGUOUS, *catalogue.CASTS, *catalogue.DETACHED, *catalogue.DROPOUTS)
"""These may give the tensor itself."""
_ALONG: Mapping[Any, tuple[str, ...]] = {
    **dict.fromkeys((*catalogue.SOFTMAXES, *catalogue.LOG_SOFTMAXES, *catalogue.GATED_LINEAR_UNITS), ("input", "dim")),
    **dict.fromkeys((*catalogue.JOINS, *catalogue.STACKS), ("tensors", "dim")),
    **dict.fromkeys(
        (*catalogue.SUMS_OVER_AXES, *catalogue.MAXIMA_OVER_AXES, *catalogue.MINIMA_OVER_AXES), ("input", "dim", "keepdim")
    ),
}
"""Operations along one or more axes, and the names of their arguments."""


def elementwise(call: TracedCall) -> RegionResult | None:
    """A function of the values at each place; what else goes into it must be the same at all places."""
    if not all(_everywhere(each, call.parts[0]) for each in call.constants) or _drops(call):
        return None
    if call.func in OUT_OF_PLACE:
        written = call.part_of(call.args[0])
        return None if written is None else call.joined(written=written)
    return call.joined(shared=call.func in _COPIES, written=call.parts[0] if _in_place(call) else None)


def normalise_batch(call: TracedCall) -> RegionResult | None:
    """Batch normalisation by running statistics: a line of its own for every channel."""
    given = bind_arguments(call.func, call.args, call.kwargs, ())
    return call.joined() if _channels_first(call) and not given["training"] and given["running_mean"] is not None else None


def bend_channels(call: TracedCall) -> RegionResult | None:
    """A leaky ReLU with a slope of its own for every channel."""
    return call.joined() if _channels_first(call) else None


def normalise_channels(call: TracedCall) -> RegionResult | None:
    """Normalisation of the channels of each place."""
    given = bind_arguments(call.func, call.args, call.kwargs, ())
    if call.func is F.local_response_norm:
        return call.joined() if _channels_first(call) else None
    return call.joined() if max(call.parts[0].axes) < -len(given["normalized_shape"]) else None


def multiply(call: TracedCall) -> RegionResult | None:
    """A dense layer along the last axis, of each place by itself."""
    inner = call.part_of(call.args[0]) is not None and len(call.parts) == 1
    return call.joined() if inner and max(call.parts[0].axes) < -1 else None


def along(call: TracedCall) -> RegionResult | None:
    """An operation along axes that are not height or width; sums must keep an axis that lies behind these."""
    names, part = _ALONG[call.func], call.parts[0]
    given = {**dict(zip(names, call.args, strict=False)), **call.kwargs}
    dim, new = given.get("dim", given.get("axis", 0 if names[0] == "tensors" else None)), call.func in catalogue.STACKS
    dims = [dim] if isinstance(dim, int) else list(dim or ())
    dims = [d if d < 0 else d - part.like.ndim - new for d in dims]
    if call.constants or not dims or any(d in part.axes or d == -part.like.ndim - new for d in dims):
        return None
    if call.func in catalogue.JOINS and not any(part.like.dtype != other.like.dtype for other in call.parts):
        return call.joined(joins=dims[0])
    keeps = given.get("keepdim", False) or "keepdim" not in names
    return call.joined() if (keeps and not new) or max(dims) < min(part.axes) else None


def _in_place(call: TracedCall) -> bool:
    """Whether the function was asked to work in place."""
    given = call.kwargs if "inplace" in call.kwargs else {}
    if not given and any(each is True for each in call.args):
        given = bind_arguments(call.func, call.args, call.kwargs, ())
    return bool(given.get("inplace", False))


def _drops(call: TracedCall) -> bool:
    """Whether values would be dropped at random."""
    if "dropout" not in getattr(call.func, "__name__", ""):
        return False
    return bool(bind_arguments(call.func, call.args, call.kwargs, ()).get("training", True))


def _everywhere(constant: Tensor, part: Region) -> bool:
    """Whether a tensor is the same at all places of a part, as a number or a number a channel is."""
    return all(-axis > constant.ndim or constant.shape[axis] == 1 for axis in part.axes)


def _channels_first(call: TracedCall) -> bool:
    part = call.parts[0]
    return len(call.parts) == 1 and part.axes == PLANE and part.like.ndim == 4


_Handler = Callable[[TracedCall], RegionResult | None]
_KINDS: Mapping[_Handler, Sequence[Callable[..., Any]]] = {
    elementwise: (
        *(*catalogue.ACTIVATIONS, *catalogue.ELEMENTARY_FUNCTIONS, *catalogue.STEP_FUNCTIONS),
        *(*catalogue.SUMS, *catalogue.PRODUCTS, *catalogue.QUOTIENTS, *catalogue.REVERSED_QUOTIENTS),
        *(*catalogue.SUMS_WITH_PRODUCT, *catalogue.PAIRWISE_EXTREMA, *catalogue.SELECTIONS),
        *(*OUT_OF_PLACE, *_COPIES, *catalogue.CLONES),
    ),
    bend_channels: catalogue.PRELUS,
    normalise_batch: catalogue.BATCH_NORMALISATIONS,
    normalise_channels: (F.layer_norm, F.rms_norm, F.local_response_norm),
    multiply: catalogue.DENSE,
    along: tuple(_ALONG),
}
HANDLERS: Mapping[Callable[..., Any], _Handler] = {func: handle for handle, functions in _KINDS.items() for func in functions}
