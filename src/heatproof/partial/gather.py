"""Assembly of the window that an operation reads: the candidates' own region, cached activations around it, a fill beyond the ends.

How a window lies on the tensor and on the region depends on integers only, and on each axis alone, so it is computed once for each
window, axis and place. What is cached is copied in one of two ways: only the strips above, below, left and right of the region, or,
where a strip costs more than the cells that it spares, the whole window, which the region then overwrites.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import groupby
from types import EllipsisType
from typing import NamedTuple

import torch
from torch import Tensor

from heatproof.partial.interval import CACHE_SIZE, AxisInterval, CellRange
from heatproof.partial.plan import CachedActivations, ReplayMismatch
from heatproof.partial.region import Axes, InputWindow, Region

STRIP_BYTES = 2**16
"""The bytes that are copied in the time that one more copy takes beside its bytes, about 8 µs at 8 GB/s."""

Range = tuple[int, int]
Box = tuple[slice | EllipsisType, ...]
"""Rows and columns, as an index into a tensor."""


class CandidateGroup(NamedTuple):
    """The rows of a batch that are candidates of one image with the rectangle at one corner."""

    rows: slice
    image: int
    corner: tuple[int, int]


@dataclass(frozen=True, eq=False)
class AxisCut:
    """How a window along one axis, at one place, lies on the tensor and on the region.

    start      the first cell of the window, on the tensor; negative where the window begins in front of it.
    size       the number of cells of the window.
    on_tensor  those cells of the window, counted from its first one, that lie on the tensor.
    inside     likewise those that lie in the region; empty if none does.
    offset     the first cell of the region, counted from the first cell of the window.
    """

    start: int
    size: int
    on_tensor: Range
    inside: Range
    offset: int

    @cached_property
    def beyond(self) -> bool:
        """Whether the window reaches beyond the tensor."""
        return self.on_tensor != (0, self.size)

    def clipped(self, cells: Range) -> Range:
        """Return those of the window's cells that lie on the tensor."""
        return max(cells[0], self.on_tensor[0]), min(cells[1], self.on_tensor[1])

    def source(self, cells: Range) -> Range:
        """Return the window's cells as cells of the tensor."""
        return cells[0] + self.start, cells[1] + self.start

    @cached_property
    def in_region(self) -> Range:
        """The cells inside, counted from the first cell of the region."""
        return self.inside[0] - self.offset, self.inside[1] - self.offset


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
        cuts = [*zip(self.groups, _axis_cuts(region.y, window.y), _axis_cuts(region.x, window.x), strict=True)]
        row_bytes = values[:1].nbytes
        for group, y, x in cuts:
            target, image = values[group.rows], cached[group.image]
            if y.beyond or x.beyond:
                target.fill_(window.fill)
            for rows, columns in _strips(y, x, row_bytes * (group.rows.stop - group.rows.start)):
                target[_box(region.axes, rows, columns)] = image[_box(region.axes, y.source(rows), x.source(columns))]
        for (rows, columns, in_y, in_x), same in groupby(cuts, _inside):
            if rows[0] < rows[1] and columns[0] < columns[1]:
                members = [group.rows for group, *_ in same]
                these = slice(members[0].start, members[-1].stop)
                values[these][_box(region.axes, rows, columns)] = region.data[these][_box(region.axes, in_y, in_x)]


def region_cells(tensor: Tensor, region: Region, place: int) -> Tensor:
    """Return the cells of a region in the full tensor of one image, as a view."""
    rows, columns = ((cells.starts[place], cells.starts[place] + cells.size) for cells in (region.y, region.x))
    return tensor[_box(region.axes, rows, columns)]


@lru_cache(maxsize=CACHE_SIZE)
def _axis_cuts(interval: AxisInterval, cells: AxisInterval | CellRange) -> tuple[AxisCut, ...]:
    """Return how the window of the given cells is cut around the region along one axis, for each place."""
    return tuple(
        _axis_cut(start, cells.size, at, interval.size, interval.axis_size)
        for start, at in zip(cells.starts, interval.starts, strict=True)
    )


@lru_cache(maxsize=CACHE_SIZE)
def _axis_cut(start: int, size: int, region_start: int, region_size: int, axis_size: int) -> AxisCut:
    offset, first = region_start - start, min(max(-start, 0), size)
    inside = min(max(offset, 0), size), min(max(offset + region_size, 0), size)
    return AxisCut(start, size, (first, max(min(size, axis_size - start), first)), inside, offset)


def _inside(cut: tuple[CandidateGroup, AxisCut, AxisCut]) -> tuple[Range, Range, Range, Range]:
    """Return the rows and columns that lie in the region, of the window and of the region."""
    _, y, x = cut
    return y.inside, x.inside, y.in_region, x.in_region


def _strips(y: AxisCut, x: AxisCut, window_bytes: int) -> list[tuple[Range, Range]]:
    """Return the rows and columns that are copied from the cached tensor: all that are on it, or only those around the region."""
    (top, bottom), (left, right) = y.inside, x.inside
    if window_bytes * (bottom - top) * (right - left) < STRIP_BYTES * y.size * x.size:
        strips = [(y.on_tensor, x.on_tensor)]
    else:
        across = (0, x.size)
        around = (((0, top), across), ((bottom, y.size), across), ((top, bottom), (0, left)), ((top, bottom), (right, x.size)))
        strips = [(y.clipped(rows), x.clipped(columns)) for rows, columns in around]
    return [(rows, columns) for rows, columns in strips if rows[0] < rows[1] and columns[0] < columns[1]]


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


def _box(axes: Axes, rows: Range, columns: Range) -> Box:
    return (..., slice(*rows), slice(*columns), *[slice(None)] * (-1 - axes.x))
