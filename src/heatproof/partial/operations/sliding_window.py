"""Windows that slide over the plane: convolutions and their transposes, pooling."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from heatproof.partial.interval import AxisInterval, CellRange, SlidingWindow, gathered, read, slid, spread
from heatproof.partial.region import PLANE, InputWindow, Places, Region, RegionResult, TracedCall
from heatproof.tracing.catalogue import CONVOLUTION_ARGUMENTS, TRANSPOSED_CONVOLUTION_ARGUMENTS

_MAXIMUM = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
_AVERAGE = ("input", "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")


def convolve(call: TracedCall) -> RegionResult | None:
    """A convolution of the plane, of any stride, padding, dilation and groups."""
    given = _given(call, CONVOLUTION_ARGUMENTS)
    part, weight = call.part_of(given["input"]), given["weight"]
    if part is None or not _on_plane(call, part):
        return None
    strides, dilations = _pair(given.get("stride", 1)), _pair(given.get("dilation", 1))
    before, after = _padding(given.get("padding", 0), weight.shape[-2:], dilations)
    slides = _slides(weight.shape[-2:], strides, dilations, before)

    def run(x: Tensor) -> Any:
        return call.func(x, weight, given.get("bias"), strides, 0, dilations, given.get("groups", 1))

    return _slid(part, slides, after, run, fill=0.0)


def pool_maximum(call: TracedCall) -> RegionResult | None:
    """The largest value of a window; padding never wins."""
    given = _given(call, _MAXIMUM)
    part = call.part_of(given["input"])
    if part is None or not _on_plane(call, part) or given.get("return_indices"):
        return None
    kernel, dilations, before = _pair(given["kernel_size"]), _pair(given.get("dilation", 1)), _pair(given.get("padding", 0))
    strides = _pair(given.get("stride") or kernel)
    run = partial(call.func, kernel_size=kernel, stride=strides, padding=0, dilation=dilations)
    slides = _slides(kernel, strides, dilations, before)
    return _slid(part, slides, before, run, fill=-torch.inf, up=bool(given.get("ceil_mode", False)))


def pool_average(call: TracedCall) -> RegionResult | None:
    """The mean of a window that never reaches beyond the tensor; of others see `resampling.py`."""
    given = _given(call, _AVERAGE)
    part = call.part_of(given["input"])
    if part is None or not _on_plane(call, part) or _pair(given.get("padding", 0)) != (0, 0) or given.get("ceil_mode"):
        return None
    kernel = _pair(given["kernel_size"])
    strides = _pair(given.get("stride") or kernel)
    run = partial(call.func, kernel_size=kernel, stride=strides, divisor_override=given.get("divisor_override"))
    return _slid(part, _slides(kernel, strides, (1, 1), (0, 0)), (0, 0), run, fill=0.0)


def convolve_transposed(call: TracedCall) -> RegionResult | None:
    """The transpose of a convolution; what its cells make begins before the result, by an amount that differs by place."""
    given = _given(call, TRANSPOSED_CONVOLUTION_ARGUMENTS)
    part, weight = call.part_of(given["input"]), given["weight"]
    if part is None or not _on_plane(call, part):
        return None
    strides, dilations, before = (_pair(given.get(name, usual)) for name, usual in (("stride", 1), ("dilation", 1), ("padding", 0)))
    slides, more = _slides(weight.shape[-2:], strides, dilations, before), _pair(given.get("output_padding", 0))
    (y, read_y, at_y), (x, read_x, at_x) = (_transposed(*each) for each in zip((part.y, part.x), slides, more, strict=True))

    def run(cells: Tensor, places: Places) -> Tensor:
        more = call.func(cells, weight, given.get("bias"), strides, 0, 0, given.get("groups", 1), dilations)
        corners = [(at_y[place], at_x[place]) for place in places]
        return torch.stack([row[:, i : i + y.size, j : j + x.size] for row, (i, j) in zip(more, corners, strict=True)])

    return RegionResult(y, x, [InputWindow(part, read_y, read_x)], run, placed=True)


def _transposed(span: AxisInterval, slide: SlidingWindow, extra: int) -> tuple[AxisInterval, CellRange, tuple[int, ...]]:
    """The result's span, the cells that go to it, and where it begins in what these make, by place."""
    made = spread(span, slide, (span.whole - 1) * slide.stride - 2 * slide.before + slide.reach + extra)
    return made, *gathered(made, slide)


def _slid(
    part: Region,
    slides: Sequence[SlidingWindow],
    after: Sequence[int],
    run: Callable[[Tensor], Any],
    *,
    fill: float,
    up: bool = False,
) -> RegionResult:
    made = [
        slid(span, slide, _outputs(span.whole, slide, behind, up=up))
        for span, slide, behind in zip((part.y, part.x), slides, after, strict=True)
    ]
    y, x = (read(outputs, slide, span) for outputs, slide, span in zip(made, slides, (part.y, part.x), strict=True))
    return RegionResult(made[0], made[1], [InputWindow(part, y, x, fill)], run)


def _outputs(whole: int, slide: SlidingWindow, behind: int, *, up: bool) -> int:
    room = whole + slide.before + behind - slide.reach
    outputs = (-(-room // slide.stride) if up else room // slide.stride) + 1
    return outputs - 1 if up and (outputs - 1) * slide.stride >= whole + slide.before else outputs


def _padding(padding: Any, kernel: Sequence[int], dilations: Sequence[int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Zeros in front and behind, of height and width."""
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding != "same":
        return _pair(padding), _pair(padding)
    total = [d * (k - 1) for k, d in zip(kernel, dilations, strict=True)]
    return (total[0] // 2, total[1] // 2), (total[0] - total[0] // 2, total[1] - total[1] // 2)


def _slides(kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int], before: Sequence[int]) -> list[SlidingWindow]:
    return [SlidingWindow(*each) for each in zip(kernel, strides, dilations, before, strict=True)]


def _pair(value: Any) -> tuple[int, int]:
    sides = (value,) if isinstance(value, int) else tuple(value)
    return (sides[0], sides[-1])


def _given(call: TracedCall, names: Sequence[str]) -> dict[str, Any]:
    return {**dict(zip(names, call.args, strict=False)), **call.kwargs}


def _on_plane(call: TracedCall, part: Region) -> bool:
    """Whether the input alone has a part, `[b, c, h, w]`."""
    return part.like.ndim == 4 and part.axes == PLANE and len(call.parts) == 1


HANDLERS: Mapping[Callable[..., Any], Callable[[TracedCall], RegionResult | None]] = {
    torch.conv2d: convolve,
    torch.conv_transpose2d: convolve_transposed,
    F.max_pool2d: pool_maximum,
    torch.max_pool2d: pool_maximum,
}
