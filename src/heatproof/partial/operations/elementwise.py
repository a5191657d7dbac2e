"""Operations whose output at a place reads its inputs at that place only: elementwise, or along the axes of channels."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from heatproof.partial.operations.base import RegionResult, TracedCall
from heatproof.partial.region import PLANE, Region
from heatproof.tracing import catalogue
from heatproof.tracing.catalogue import OUT_OF_PLACE
from heatproof.tracing.signatures import bind_arguments

_COPIES = (*catalogue.CONTIGUOUS, *catalogue.CASTS, *catalogue.DETACHED, *catalogue.DROPOUTS)
"""These functions may return the tensor itself."""
_ALONG: Mapping[Any, tuple[str, ...]] = {
    **dict.fromkeys((*catalogue.SOFTMAXES, *catalogue.LOG_SOFTMAXES, *catalogue.GATED_LINEAR_UNITS), ("input", "dim")),
    **dict.fromkeys((*catalogue.JOINS, *catalogue.STACKS), ("tensors", "dim")),
    **dict.fromkeys(
        (*catalogue.SUMS_OVER_AXES, *catalogue.MAXIMA_OVER_AXES, *catalogue.MINIMA_OVER_AXES), ("input", "dim", "keepdim")
    ),
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
    arguments = bind_arguments(call.func, call.args, call.kwargs, catalogue.NATIVE_BATCH_NORM)
    fixed = not arguments["training"] and arguments["running_mean"] is not None
    return call.same_places() if fixed and _channels_first(call) else None


def bend_channels(call: TracedCall) -> RegionResult | None:
    """Handle a leaky ReLU with one slope per channel."""
    return call.same_places() if _channels_first(call) else None


def normalise_channels(call: TracedCall) -> RegionResult | None:
    """Handle normalisations over the channels of each place."""
    if call.func is F.local_response_norm:
        return call.same_places() if _channels_first(call) else None
    arguments = bind_arguments(call.func, call.args, call.kwargs, ())
    return call.same_places() if max(call.regions[0].axes) < -len(arguments["normalized_shape"]) else None


def multiply(call: TracedCall) -> RegionResult | None:
    """Handle a dense layer along the last axis, where that is the channels."""
    input_only = call.region_of(call.args[0]) is not None and len(call.regions) == 1
    return call.same_places() if input_only and max(call.regions[0].axes) < -1 else None


def along(call: TracedCall) -> RegionResult | None:
    """Handle an operation along axes other than height and width; a sum over an axis behind these must keep it with size 1."""
    names, like = _ALONG[call.func], call.regions[0].like
    arguments = {**dict(zip(names, call.args, strict=False)), **call.kwargs}
    dim, new = arguments.get("dim", arguments.get("axis", 0 if names[0] == "tensors" else None)), call.func in catalogue.STACKS
    dims = [dim] if isinstance(dim, int) else list(dim or ())
    dims = [d if d < 0 else d - like.ndim - new for d in dims]
    axes = call.regions[0].axes
    if call.constants or not dims or any(d in axes or d == -like.ndim - new for d in dims):
        return None
    if call.func in catalogue.JOINS and all(region.like.dtype == like.dtype for region in call.regions):
        return call.same_places(concatenates=dims[0])
    keeps = arguments.get("keepdim", False) or "keepdim" not in names
    return call.same_places() if (keeps and not new) or max(dims) < min(axes) else None


def _in_place(call: TracedCall) -> bool:
    """Return whether the argument `inplace` is true."""
    arguments = call.kwargs if "inplace" in call.kwargs else {}
    if not arguments and any(argument is True for argument in call.args):
        arguments = bind_arguments(call.func, call.args, call.kwargs, ())
    return bool(arguments.get("inplace", False))


def _drops_values(call: TracedCall) -> bool:
    """Return whether the call is a dropout that sets values to zero at random."""
    if "dropout" not in getattr(call.func, "__name__", ""):
        return False
    return bool(bind_arguments(call.func, call.args, call.kwargs, ()).get("training", True))


def _same_everywhere(constant: Tensor, region: Region) -> bool:
    """Return whether a tensor is the same at all places of a region, as a scalar or one value per channel is."""
    return all(-axis > constant.ndim or constant.shape[axis] == 1 for axis in region.axes)


def _channels_first(call: TracedCall) -> bool:
    region = call.regions[0]
    return len(call.regions) == 1 and region.axes == PLANE and region.like.ndim == 4


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
    normalise_channels: (*catalogue.LAST_AXES_NORMALISATIONS, F.local_response_norm),
    multiply: catalogue.DENSE,
    along: tuple(_ALONG),
}
HANDLERS: Mapping[Callable[..., Any], _Handler] = {func: handle for handle, functions in _KINDS.items() for func in functions}
