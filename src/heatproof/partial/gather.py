"""Assembly of the window that an operation reads: the candidates' own region, cached activations around it, a fill beyond the ends.

A window is cut into what lies in the region, four strips above, below, left and right of it, and the cells beyond the tensor. How
it is cut depends on integers only, so it is computed once for each window and all its places.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from types import EllipsisType
from typing import NamedTuple

import torch
from torch import Tensor

from heatproof.partial.interval import CACHE_SIZE, AxisInterval, CellRange
from heatproof.partial.plan import CachedActivations, ReplayMismatch
from heatproof.partial.region import Axes, InputWindow, Region

Range = tuple[int, int]
Box = tuple[slice | EllipsisType, ...]
"""Rows and columns, as an index into a tensor."""


class CandidateGroup(NamedTuple):
    """The rows of a batch that are candidates of one image with the rectangle at one corner."""

    rows: slice
    image: int
    corner: tuple[int, int]


class Cut(NamedTuple):
    """How a window at one place is filled; each pair of boxes is the target in the window and the source.

    inside  the part that comes from the region's data; None if the window reads none of it.
    around  the strips that come from the cached tensor.
    beyond  the boxes that take the fill.
    """

    inside: tuple[Box, Box] | None
    around: tuple[tuple[Box, Box], ...]
    beyond: tuple[Box, ...]


@dataclass(frozen=True)
class Gatherer:
    """Gathers windows for the candidates of one batch.

    cached  the activations of the images.
    groups  the rows of the batch; the i-th group has the i-th place of every interval.
    """

    cached: CachedActivations
    groups: Sequence[CandidateGroup]

    def window(self, window: InputWindow) -> Tensor:
        """Return the values of a window, one row per candidate; the region's own data where the window is the region.

        Raises:
            ReplayMismatch: The tensor around the region is not cached.
        """
        if window.is_region:
            return window.region.data
        values = _empty(window)
        self._fill(values, window)
        return values

    def concatenated(self, windows: Sequence[InputWindow], axis: int) -> Tensor:
        """Return several windows one after another along an axis, each written directly to its place in the result."""
        sizes = [window.region.data.shape[axis] for window in windows]
        values = _empty(windows[0], {axis: sum(sizes)})
        for window, target in zip(windows, torch.split(values, sizes, axis), strict=True):
            if window.is_region:
                target.copy_(window.region.data)
            else:
                self._fill(target, window)
        return values

    def _fill(self, values: Tensor, window: InputWindow) -> None:
        region = window.region
        cached = self.cached.get(region.number)
        if cached is None:
            raise ReplayMismatch(f"expected tensor number {region.number} among the cached activations, got none")
        for group, cut in zip(self.groups, _cuts(region.axes, region.y, region.x, window.y, window.x), strict=True):
            target, image = values[group.rows], cached[group.image]
            for box in cut.beyond:
                target[box] = window.fill
            for box, source in cut.around:
                target[box] = image[source]
            if cut.inside is not None:
                box, source = cut.inside
                target[box] = region.data[group.rows][source]


def region_cells(tensor: Tensor, region: Region, place: int) -> Tensor:
    """Return the cells of a region in the full tensor of one image, as a view."""
    rows, columns = ((cells.starts[place], cells.starts[place] + cells.size) for cells in (region.y, region.x))
    return tensor[_box(region.axes, rows, columns)]


@lru_cache(maxsize=CACHE_SIZE)
def _cuts(
    axes: Axes, y: AxisInterval, x: AxisInterval, rows: AxisInterval | CellRange, columns: AxisInterval | CellRange
) -> tuple[Cut, ...]:
    """Return how the window of the given rows and columns is cut around the region at y and x, for each place."""
    return tuple(_cut(axes, y, x, rows, columns, place) for place in range(len(y.first)))


def _cut(
    axes: Axes, y: AxisInterval, x: AxisInterval, rows: AxisInterval | CellRange, columns: AxisInterval | CellRange, place: int
) -> Cut:
    box = partial(_box, axes)
    corner = rows.starts[place], columns.starts[place]
    at = y.starts[place] - corner[0], x.starts[place] - corner[1]
    top, bottom = _within(at[0], rows.size), _within(at[0] + y.size, rows.size)
    left, right = _within(at[1], columns.size), _within(at[1] + x.size, columns.size)
    inside = None
    if top < bottom and left < right:
        cells = box((top - at[0], bottom - at[0]), (left - at[1], right - at[1]))
        inside = box((top, bottom), (left, right)), cells
    around, beyond = [], []
    across, between = (0, columns.size), (top, bottom)
    for strip in (((0, top), across), ((bottom, rows.size), across), (between, (0, left)), (between, (right, columns.size))):
        if strip[0][0] >= strip[0][1] or strip[1][0] >= strip[1][1]:
            continue
        sizes = (y.axis_size, x.axis_size)
        on_tensor = [_on_axis(cells, start, size) for cells, start, size in zip(strip, corner, sizes, strict=True)]
        if on_tensor != list(strip):
            beyond.append(box(*strip))
        if on_tensor[0][0] < on_tensor[0][1] and on_tensor[1][0] < on_tensor[1][1]:
            there = [(first + start, stop + start) for (first, stop), start in zip(on_tensor, corner, strict=True)]
            around.append((box(*on_tensor), box(*there)))
    return Cut(inside, tuple(around), tuple(beyond))


def _empty(window: InputWindow, sizes: Mapping[int, int] | None = None) -> Tensor:
    """Return memory for a window of all rows in the layout of the region's data, with other sizes of some axes."""
    data, axes = window.region.data, window.region.axes
    shape = list(data.shape)
    for axis, size in (sizes or {}).items():
        shape[axis] = size
    shape[axes.y], shape[axes.x] = window.y.size, window.x.size
    last = data.ndim == 4 and not data.is_contiguous() and data.is_contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last if last else torch.contiguous_format
    return torch.empty(shape, dtype=data.dtype, device=data.device, memory_format=layout)


def _within(cell: int, size: int) -> int:
    return min(max(cell, 0), size)


def _on_axis(strip: Range, start: int, axis_size: int) -> Range:
    """Return the cells of a strip, in a window that begins at `start`, that lie on the axis."""
    first, stop = strip
    return min(max(first, -start), stop), max(min(stop, axis_size - start), first)


def _box(axes: Axes, rows: Range, columns: Range) -> Box:
    return (..., slice(*rows), slice(*columns), *[slice(None)] * (-1 - axes.x))
