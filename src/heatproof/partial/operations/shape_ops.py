"""Operations that permute, reshape, slice or pad a tensor, as long as height and width remain axes of it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from heatproof.partial.interval import AxisInterval, CellRange, SlidingWindow, affected_outputs, cells_read
from heatproof.partial.operations.base import RegionResult, TracedCall
from heatproof.partial.region import PLANE, Axes, InputWindow
from heatproof.tracing import catalogue


def permute(call: TracedCall) -> RegionResult | None:
    """Handle a permutation of the axes that leaves the batch axis first and the height before the width."""
    region = call.regions[0]
    n = region.like.ndim
    order = [d % n for d in _permutation(call, n)]
    if len(call.regions) > 1 or sorted(order) != list(range(n)) or order[0] != 0:
        return None
    axes = Axes(*(order.index(axis % n) - n for axis in region.axes))
    return call.same_places(axes=axes, may_alias=True) if axes.y < axes.x else None


def reshape(call: TracedCall) -> RegionResult | None:
    """Handle a change of shape between the batch axis and the plane, as when channels are split into groups and joined again."""
    region = call.regions[0]
    shape = _shape(call, region.like)
    if len(call.regions) > 1 or region.axes != PLANE or shape is None or len(shape) < 3:
        return None
    if shape[0] != region.like.shape[0] or shape[-2:] != region.like.shape[-2:]:
        return None
    return call.same_places(lambda x: x.reshape(*shape[:-2], *x.shape[-2:]), may_alias=True)


def cut(call: TracedCall) -> RegionResult | None:
    """Handle taking some channels, or splitting them into several tensors."""
    region = call.regions[0]
    names = ("input", "sizes", "dim") if getattr(call.func, "__name__", "") in _SPLITTING else ("input", "dim")
    arguments = {**dict(zip(names, call.args, strict=False)), **call.kwargs}
    dim = arguments.get("dim", 0)
    dim = dim if dim < 0 else dim - region.like.ndim
    if len(call.regions) > 1 or dim in region.axes or dim <= -region.like.ndim or dim > min(region.axes):
        return None
    return call.same_places(may_alias=True)


def add_axis(call: TracedCall) -> RegionResult | None:
    """Handle a new axis between the batch axis and the plane."""
    region = call.regions[0]
    dim = call.args[1] if len(call.args) > 1 else call.kwargs["dim"]
    dim = dim if dim < 0 else dim - region.like.ndim - 1
    return call.same_places(may_alias=True) if -region.like.ndim <= dim < min(region.axes) else None


def index(call: TracedCall) -> RegionResult | None:
    """Handle `x[:, channels]` by integers and slices along axes in front of the plane."""
    region, key = call.regions[0], call.args[1]
    keys = key if isinstance(key, tuple) else (key,)
    plain = all(each is None or isinstance(each, int | slice) for each in keys)
    if len(call.regions) > 1 or not plain or keys[0] != slice(None) or any(isinstance(each, bool) for each in keys):
        return None
    axes_indexed = sum(each is not None for each in keys)
    return call.same_places(may_alias=True) if axes_indexed <= region.like.ndim + min(region.axes) else None


def pad(call: TracedCall) -> RegionResult | None:
    """Handle padding of the plane and of the channels with a constant; a negative amount crops."""
    arguments = {**dict(zip(("input", "pad", "mode", "value"), call.args, strict=False)), **call.kwargs}
    region, amounts = call.regions[0], [int(n) for n in arguments["pad"]]
    if (
        len(call.regions) > 1
        or arguments.get("mode", "constant") != "constant"
        or region.axes != PLANE
        or len(amounts) > 2 * region.like.ndim - 2
    ):
        return None
    amounts += [0] * (4 - len(amounts))
    value, (left, right, above, below) = arguments.get("value") or 0.0, amounts[:4]
    y, read_y = _shifted(region.y, above, below)
    x, read_x = _shifted(region.x, left, right)
    window = InputWindow(region, read_y, read_x, value)
    if amounts[4:]:
        return RegionResult(y, x, [window], lambda data: F.pad(data, [0] * 4 + amounts[4:], value=value))
    return RegionResult(y, x, [window], lambda data: data, may_alias=True)


def _shifted(interval: AxisInterval, before: int, after: int) -> tuple[AxisInterval, AxisInterval | CellRange]:
    """Return the affected cells of an axis padded in front and behind, and the cells that they read."""
    window = SlidingWindow(1, padding=before)
    outputs = affected_outputs(interval, window, interval.axis_size + before + after)
    return outputs, cells_read(outputs, window, interval)


def _permutation(call: TracedCall, n: int) -> Sequence[int]:
    rest: Sequence[Any] = call.args[1:]
    name = getattr(call.func, "__name__", "")
    if name == "permute":
        dims: Sequence[Any] = call.kwargs.get("dims", rest)
        return tuple(dims[0]) if len(dims) == 1 and not isinstance(dims[0], int) else dims
    by_name = [call.kwargs[key] for place in "01" for key in (f"dim{place}", f"axis{place}") if key in call.kwargs]
    a, b = (*rest, *by_name)
    order = list(range(n))
    order[a], order[b] = order[b], order[a]
    return order


def _shape(call: TracedCall, like: Tensor) -> tuple[int, ...] | None:
    """Return the new shape; None if the call gives it in another form than integers."""
    name = getattr(call.func, "__name__", "")
    if name == "flatten" or call.kwargs:
        return None
    rest = call.args[1:]
    sizes = rest[0] if len(rest) == 1 and not isinstance(rest[0], int) else rest
    if not isinstance(sizes, tuple | list) or not all(isinstance(each, int) for each in sizes):
        return None
    return tuple(torch.empty(like.shape, device="meta").reshape(tuple(sizes)).shape)


_SPLITTING = ("split", "chunk", "tensor_split")
_Handler = Callable[[TracedCall], RegionResult | None]
_KINDS: Mapping[_Handler, Sequence[Callable[..., Any]]] = {
    permute: (*catalogue.PERMUTATIONS, *catalogue.SWAPS),
    reshape: catalogue.RESHAPES,
    cut: catalogue.SPLITS,
    add_axis: catalogue.NEW_AXES,
    index: catalogue.INDEXING,
    pad: catalogue.PADDING,
}
HANDLERS: Mapping[Callable[..., Any], _Handler] = {func: handle for handle, functions in _KINDS.items() for func in functions}
