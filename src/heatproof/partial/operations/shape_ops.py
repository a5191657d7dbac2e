"""Operations that move, cut or pad, as long as height and width stay axes of their own."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from heatproof.partial.interval import AxisInterval, CellRange, SlidingWindow, read, slid
from heatproof.partial.region import PLANE, Axes, InputWindow, RegionResult, TracedCall
from heatproof.tracing import catalogue


def permute(call: TracedCall) -> RegionResult | None:
    """The axes in another order; rows stay first."""
    part = call.parts[0]
    n = part.like.ndim
    order = [d % n for d in _permutation(call, n)]
    if len(call.parts) > 1 or sorted(order) != list(range(n)) or order[0] != 0:
        return None
    axes = Axes(*(order.index(axis % n) - n for axis in part.axes))
    return call.joined(axes=axes, shared=True) if axes.y < axes.x else None


def reshape(call: TracedCall) -> RegionResult | None:
    """Another shape in front of height and width, which stay the last two axes; channels cut into groups, and joined again."""
    part = call.parts[0]
    shape = _shape(call, part.like)
    if len(call.parts) > 1 or part.axes != PLANE or shape is None or len(shape) < 3:
        return None
    if shape[0] != part.like.shape[0] or shape[-2:] != part.like.shape[-2:]:
        return None
    return call.joined(lambda x: x.reshape(*shape[:-2], *x.shape[-2:]), shared=True)


def cut(call: TracedCall) -> RegionResult | None:
    """Some of the channels, or all in several tensors."""
    part = call.parts[0]
    names = ("input", "sizes", "dim") if getattr(call.func, "__name__", "") in _SPLITTING else ("input", "dim")
    given = {**dict(zip(names, call.args, strict=False)), **call.kwargs}
    dim = given.get("dim", 0)
    dim = dim if dim < 0 else dim - part.like.ndim
    if len(call.parts) > 1 or dim in part.axes or dim <= -part.like.ndim or dim > min(part.axes):
        return None
    return call.joined(shared=True)


def add_axis(call: TracedCall) -> RegionResult | None:
    """A new axis between the rows and the height."""
    part = call.parts[0]
    dim = call.args[1] if len(call.args) > 1 else call.kwargs["dim"]
    dim = dim if dim < 0 else dim - part.like.ndim - 1
    return call.joined(shared=True) if -part.like.ndim <= dim < min(part.axes) else None


def index(call: TracedCall) -> RegionResult | None:
    """`x[:, some channels]`: by numbers and slices, of axes in front of the height."""
    part, key = call.parts[0], call.args[1]
    keys = key if isinstance(key, tuple) else (key,)
    plain = all(each is None or isinstance(each, int | slice) for each in keys)
    if len(call.parts) > 1 or not plain or keys[0] != slice(None) or any(isinstance(each, bool) for each in keys):
        return None
    axes_cut = sum(each is not None for each in keys)
    return call.joined(shared=True) if axes_cut <= part.like.ndim + min(part.axes) else None


def pad(call: TracedCall) -> RegionResult | None:
    """A constant around the plane, and around the channels; less than none cuts."""
    given = {**dict(zip(("input", "pad", "mode", "value"), call.args, strict=False)), **call.kwargs}
    part, amounts = call.parts[0], [int(n) for n in given["pad"]]
    if (
        len(call.parts) > 1
        or given.get("mode", "constant") != "constant"
        or part.axes != PLANE
        or len(amounts) > 2 * part.like.ndim - 2
    ):
        return None
    amounts += [0] * (4 - len(amounts))
    value, (left, right, above, below) = given.get("value") or 0.0, amounts[:4]
    y, read_y = _shifted(part.y, above, below)
    x, read_x = _shifted(part.x, left, right)
    window = InputWindow(part, read_y, read_x, value)
    if amounts[4:]:
        return RegionResult(y, x, [window], lambda data: F.pad(data, [0] * 4 + amounts[4:], value=value))
    return RegionResult(y, x, [window], lambda data: data, shared=True)


def _shifted(span: AxisInterval, before: int, after: int) -> tuple[AxisInterval, AxisInterval | CellRange]:
    """With so many cells in front of the axis and behind it: the result's span, and the cells that it reads."""
    outputs = slid(span, SlidingWindow(1, before=before), span.whole + before + after)
    return outputs, read(outputs, SlidingWindow(1, before=before), span)


def _permutation(call: TracedCall, n: int) -> Sequence[int]:
    rest: Sequence[Any] = call.args[1:]
    name = getattr(call.func, "__name__", "")
    if name == "permute":
        dims: Sequence[Any] = call.kwargs.get("dims", rest)
        return tuple(dims[0]) if len(dims) == 1 and not isinstance(dims[0], int) else dims
    a, b = rest if rest else (call.kwargs.get("dim0", 0), call.kwargs.get("dim1", 0))
    order = list(range(n))
    order[a], order[b] = order[b], order[a]
    return order


def _shape(call: TracedCall, like: Tensor) -> tuple[int, ...] | None:
    """The shape that was asked for; None if it was not by numbers."""
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
