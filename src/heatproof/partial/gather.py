"""Windows of cells, put together of a part and of what was kept around it, or of what lies beyond the tensor."""

from collections.abc import Mapping
from functools import lru_cache
from types import EllipsisType
from typing import NamedTuple

import torch
from torch import Tensor

from heatproof.partial.interval import REMEMBERED, AxisInterval, CellRange
from heatproof.partial.region import Axes, InputWindow, Region

Range = tuple[int, int]
Box = tuple[slice, slice]
"""Rows and columns."""


class GatherPlan(NamedTuple):
    """What a window is made of, at one place; pairs say where to and where from.

    own     of the part's data; None if the window reads none of it.
    around  of the tensor that was kept, above, below, left and right of the part.
    beyond  where there is no tensor.
    """

    own: tuple[Box, Box] | None
    around: tuple[tuple[Box, Box], ...]
    beyond: tuple[Box, ...]


@lru_cache(maxsize=REMEMBERED)
def layers(
    y: AxisInterval, x: AxisInterval, rows: AxisInterval | CellRange, columns: AxisInterval | CellRange, place: int
) -> GatherPlan:
    """Of a part at y and x, the window of those rows and columns."""
    corner = rows.starts[place], columns.starts[place]
    at = y.starts[place] - corner[0], x.starts[place] - corner[1]
    top, bottom = _within(at[0], rows.size), _within(at[0] + y.size, rows.size)
    left, right = _within(at[1], columns.size), _within(at[1] + x.size, columns.size)
    own = None
    if top < bottom and left < right:
        own = _box((top, bottom), (left, right)), _box((top - at[0], bottom - at[0]), (left - at[1], right - at[1]))
    around, beyond = [], []
    across, between = (0, columns.size), (top, bottom)
    for strip in (((0, top), across), ((bottom, rows.size), across), (between, (0, left)), (between, (right, columns.size))):
        if strip[0][0] >= strip[0][1] or strip[1][0] >= strip[1][1]:
            continue
        inside = [_inside(cells, start, whole) for cells, start, whole in zip(strip, corner, (y.whole, x.whole), strict=True)]
        if inside != list(strip):
            beyond.append(_box(*strip))
        if inside[0][0] < inside[0][1] and inside[1][0] < inside[1][1]:
            source = [(first + start, after + start) for (first, after), start in zip(inside, corner, strict=True)]
            around.append((_box(*inside), _box(*source)))
    return GatherPlan(own, tuple(around), tuple(beyond))


def fill(found: Tensor, window: InputWindow, data: Tensor, kept: Tensor, place: int) -> None:
    """Write the window of some rows: of their data, and of the tensor of their image."""
    part, axes = window.part, window.part.axes
    made = layers(part.y, part.x, window.y, window.x, place)
    for box in made.beyond:
        found[_index(axes, box)] = window.fill
    for to, source in made.around:
        found[_index(axes, to)] = kept[_index(axes, source)]
    if made.own is not None:
        to, source = made.own
        found[_index(axes, to)] = data[_index(axes, source)]


def cells(tensor: Tensor, part: Region, place: int) -> Tensor:
    """Of one image's values, those of the part; a view."""
    y, x = part.y.starts[place], part.x.starts[place]
    return tensor[_index(part.axes, _box((y, y + part.y.size), (x, x + part.x.size)))]


def empty_window(window: InputWindow, data: Tensor, sizes: Mapping[int, int] | None = None) -> Tensor:
    """Memory for a window of all rows, laid out as their data are; with other sizes of some axes."""
    shape = list(data.shape)
    for axis, size in (sizes or {}).items():
        shape[axis] = size
    shape[window.part.axes.y], shape[window.part.axes.x] = window.y.size, window.x.size
    last = data.ndim == 4 and not data.is_contiguous() and data.is_contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last if last else torch.contiguous_format
    return torch.empty(shape, dtype=data.dtype, device=data.device, memory_format=layout)


def _within(cell: int, size: int) -> int:
    return min(max(cell, 0), size)


def _inside(strip: Range, start: int, whole: int) -> Range:
    """Of a strip of a window that begins at `start`, the cells that the axis has."""
    first, after = strip
    return min(max(first, -start), after), max(min(after, whole - start), first)


def _box(rows: Range, columns: Range) -> Box:
    return slice(*rows), slice(*columns)


def _index(axes: Axes, box: Box) -> tuple[slice | EllipsisType, ...]:
    return (..., *box, *[slice(None)] * (-1 - axes.x))
