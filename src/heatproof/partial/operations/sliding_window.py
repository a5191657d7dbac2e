"""Operations with a window that slides over the plane: convolutions, transposed convolutions, pooling."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from heatproof.partial.interval import (
    AxisInterval,
    CellRange,
    SlidingWindow,
    affected_outputs,
    affected_outputs_transposed,
    cells_read,
    cells_read_transposed,
)
from heatproof.partial.operations.base import RegionResult, TracedCall
from heatproof.partial.region import PLANE, InputWindow, Places, Region
from heatproof.tracing.catalogue import CONVOLUTION_ARGUMENTS, TRANSPOSED_CONVOLUTION_ARGUMENTS

_MAXIMUM = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
_AVERAGE = ("input", "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")


def convolve(call: TracedCall) -> RegionResult | None:
    """Handle a convolution with any stride, zero padding, dilation and groups."""
    arguments = _arguments(call, CONVOLUTION_ARGUMENTS)
    region, weight = call.region_of(arguments["input"]), arguments["weight"]
    if region is None or not _on_plane(call, region):
        return None
    strides, dilations = _pair(arguments.get("stride", 1)), _pair(arguments.get("dilation", 1))
    before, after = _padding(arguments.get("padding", 0), weight.shape[-2:], dilations)
    windows = _windows(weight.shape[-2:], strides, dilations, before)

    def run(x: Tensor) -> Any:
        return call.func(x, weight, arguments.get("bias"), strides, 0, dilations, arguments.get("groups", 1))

    return _sliding_result(region, windows, after, run, fill=0.0)


def pool_maximum(call: TracedCall) -> RegionResult | None:
    """Handle maximum pooling; cells beyond the tensor count as −∞."""
    arguments = _arguments(call, _MAXIMUM)
    region = call.region_of(arguments["input"])
    if region is None or not _on_plane(call, region) or arguments.get("return_indices"):
        return None
    kernel, before = _pair(arguments["kernel_size"]), _pair(arguments.get("padding", 0))
    strides, dilations = _pair(arguments.get("stride") or kernel), _pair(arguments.get("dilation", 1))
    run = partial(call.func, kernel_size=kernel, stride=strides, padding=0, dilation=dilations)
    windows = _windows(kernel, strides, dilations, before)
    return _sliding_result(region, windows, before, run, fill=-torch.inf, ceil_mode=bool(arguments.get("ceil_mode", False)))


def pool_average(call: TracedCall) -> RegionResult | None:
    """Handle average pooling without padding and without ceil mode; `resampling.py` handles the rest."""
    arguments = _arguments(call, _AVERAGE)
    region = call.region_of(arguments["input"])
    if region is None or not _on_plane(call, region) or _pair(arguments.get("padding", 0)) != (0, 0) or arguments.get("ceil_mode"):
        return None
    kernel = _pair(arguments["kernel_size"])
    strides = _pair(arguments.get("stride") or kernel)
    run = partial(call.func, kernel_size=kernel, stride=strides, divisor_override=arguments.get("divisor_override"))
    return _sliding_result(region, _windows(kernel, strides, (1, 1), (0, 0)), (0, 0), run, fill=0.0)


def convolve_transposed(call: TracedCall) -> RegionResult | None:
    """Handle a transposed convolution.

    The outputs of the cells that are read begin before the affected outputs, by an offset that depends on the place.
    """
    arguments = _arguments(call, TRANSPOSED_CONVOLUTION_ARGUMENTS)
    region, weight = call.region_of(arguments["input"]), arguments["weight"]
    if region is None or not _on_plane(call, region):
        return None
    strides, dilations = _pair(arguments.get("stride", 1)), _pair(arguments.get("dilation", 1))
    before, extra = _pair(arguments.get("padding", 0)), _pair(arguments.get("output_padding", 0))
    windows = _windows(weight.shape[-2:], strides, dilations, before)
    y, read_y, offsets_y = _transposed(region.y, windows[0], extra[0])
    x, read_x, offsets_x = _transposed(region.x, windows[1], extra[1])

    def run(cells: Tensor, places: Places) -> Tensor:
        outputs = call.func(cells, weight, arguments.get("bias"), strides, 0, 0, arguments.get("groups", 1), dilations)
        offsets = [(offsets_y[place], offsets_x[place]) for place in places]
        return torch.stack([row[:, i : i + y.size, j : j + x.size] for row, (i, j) in zip(outputs, offsets, strict=True)])

    return RegionResult(y, x, [InputWindow(region, read_y, read_x)], run, takes_places=True)


def _transposed(interval: AxisInterval, window: SlidingWindow, extra: int) -> tuple[AxisInterval, CellRange, tuple[int, ...]]:
    """Return the affected outputs, the cells that add to them, and the offsets of the outputs in what these cells give."""
    n_outputs = (interval.axis_size - 1) * window.stride - 2 * window.padding + window.extent + extra
    outputs = affected_outputs_transposed(interval, window, n_outputs)
    return outputs, *cells_read_transposed(outputs, window)


def _sliding_result(
    region: Region,
    windows: Sequence[SlidingWindow],
    padding_after: Sequence[int],
    run: Callable[[Tensor], Any],
    *,
    fill: float,
    ceil_mode: bool = False,
) -> RegionResult:
    """Return the result of a window that slides over a region, with `fill` in the padding."""
    axes = list(zip((region.y, region.x), windows, padding_after, strict=True))
    y, x = (affected_outputs(cells, window, _n_outputs(cells, window, after, ceil_mode)) for cells, window, after in axes)
    read_y, read_x = (cells_read(outputs, window, cells) for outputs, (cells, window, _) in zip((y, x), axes, strict=True))
    return RegionResult(y, x, [InputWindow(region, read_y, read_x, fill)], run)


def _n_outputs(cells: AxisInterval, window: SlidingWindow, padding_after: int, ceil_mode: bool) -> int:
    """Return the number of outputs along an axis; in ceil mode, the last window must begin on the tensor or in front of it."""
    room = cells.axis_size + window.padding + padding_after - window.extent
    outputs = (-(-room // window.stride) if ceil_mode else room // window.stride) + 1
    return outputs - 1 if ceil_mode and (outputs - 1) * window.stride >= cells.axis_size + window.padding else outputs


def _padding(padding: Any, kernel: Sequence[int], dilations: Sequence[int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the zeros in front and behind, each along height and width."""
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding != "same":
        return _pair(padding), _pair(padding)
    total = [d * (k - 1) for k, d in zip(kernel, dilations, strict=True)]
    return (total[0] // 2, total[1] // 2), (total[0] - total[0] // 2, total[1] - total[1] // 2)


def _windows(*geometry: Sequence[int]) -> list[SlidingWindow]:
    """Return the windows along height and width of pairs of kernel sizes, strides, dilations and paddings."""
    return [SlidingWindow(*of_axis) for of_axis in zip(*geometry, strict=True)]


def _pair(value: Any) -> tuple[int, int]:
    sides = (value,) if isinstance(value, int) else tuple(value)
    return (sides[0], sides[-1])


def _arguments(call: TracedCall, names: Sequence[str]) -> dict[str, Any]:
    return {**dict(zip(names, call.args, strict=False)), **call.kwargs}


def _on_plane(call: TracedCall, region: Region) -> bool:
    """Return whether the input alone has a region, and is `[b, c, h, w]`."""
    return region.like.ndim == 4 and region.axes == PLANE and len(call.regions) == 1


HANDLERS: Mapping[Callable[..., Any], Callable[[TracedCall], RegionResult | None]] = {
    torch.conv2d: convolve,
    torch.conv_transpose2d: convolve_transposed,
    F.max_pool2d: pool_maximum,
    torch.max_pool2d: pool_maximum,
}
