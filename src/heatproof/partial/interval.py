"""The cells along one axis of a tensor that a replaced rectangle of the image can affect.

All functions here work on integers: they map the affected cells of an operation's input to the affected cells of its output, and an
output back to the input cells that it reads.

    sliding window    output o reads the cells o s − p + t d,  t = 0 … k − 1
                      s stride, p padding in front of the axis, d dilation, k kernel size
    linear map M      output o reads the cells i with M[o, i] ≠ 0

An interval is known for one or more places of the rectangle at once. Regions at different places are stacked into one tensor, so
every place gets as many cells as the place that needs most, moved inwards at the end of the axis. The additional cells are computed
again and keep their values.

The functions are cached: the same operation applied to the same interval returns the same object, so intervals compare by identity.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

CACHE_SIZE = 4096
"""The number of results that each cached function of this package keeps."""


@dataclass(frozen=True, eq=False)
class AxisInterval:
    """The cells `first` … `stop` − 1, at each place, of an axis that has `axis_size` cells."""

    first: tuple[int, ...]
    stop: tuple[int, ...]
    axis_size: int

    @cached_property
    def size(self) -> int:
        """The number of cells that every place gets, so that regions at different places stack."""
        return max(stop - first for first, stop in zip(self.first, self.stop, strict=True))

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The first of the `size` cells at each place; no place reaches beyond the end of the axis."""
        last_start = self.axis_size - self.size
        return tuple(min(first, last_start) for first in self.first)

    @property
    def share(self) -> float:
        """The share of the axis that the cells of one place cover."""
        return self.size / self.axis_size

    @cached_property
    def share_of_place(self) -> npt.NDArray[np.float64]:
        """The share of the axis that is affected at each place."""
        return np.subtract(self.stop, self.first) / self.axis_size

    def same_cells(self, other: "AxisInterval") -> bool:
        """Return whether both intervals hold the same cells at every place."""
        return self is other or (self.first == other.first and self.stop == other.stop and self.axis_size == other.axis_size)


class CellRange(NamedTuple):
    """The `size` cells from `starts` on, at each place, that an operation reads; some may lie beyond the ends of the axis."""

    starts: tuple[int, ...]
    size: int


class SlidingWindow(NamedTuple):
    """The geometry of a window that slides along an axis; `padding` counts the cells in front of the first one."""

    kernel: int
    stride: int = 1
    dilation: int = 1
    padding: int = 0

    @property
    def extent(self) -> int:
        """The number of cells from the first to the last one that a window reads."""
        return (self.kernel - 1) * self.dilation + 1


POINTWISE = SlidingWindow(1)
"""The window of an operation whose output reads the one cell at its own position."""


@lru_cache(maxsize=CACHE_SIZE)
def rectangle_interval(places: tuple[int, ...], size: int, axis_size: int) -> AxisInterval:
    """Return the interval of the rectangle itself, which has `size` cells from each of the places on."""
    return AxisInterval(places, tuple(place + size for place in places), axis_size)


@lru_cache(maxsize=CACHE_SIZE)
def affected_outputs(interval: AxisInterval, window: SlidingWindow, n_outputs: int) -> AxisInterval:
    """Return the outputs of a sliding window that read any cell of the interval."""
    if window == POINTWISE and n_outputs == interval.axis_size:
        return interval
    first = (-(-(cell + window.padding - window.extent + 1) // window.stride) for cell in interval.first)
    return clipped(first, ((cell - 1 + window.padding) // window.stride + 1 for cell in interval.stop), n_outputs)


@lru_cache(maxsize=CACHE_SIZE)
def cells_read(outputs: AxisInterval, window: SlidingWindow, interval: AxisInterval) -> AxisInterval | CellRange:
    """Return the input cells that the outputs read; the input's affected interval itself where they are the same cells."""
    if window == POINTWISE and outputs is interval:
        return interval
    starts = tuple(start * window.stride - window.padding for start in outputs.starts)
    cells = CellRange(starts, (outputs.size - 1) * window.stride + window.extent)
    return interval if window.kernel == window.stride == 1 and cells == CellRange(interval.starts, interval.size) else cells


@lru_cache(maxsize=CACHE_SIZE)
def affected_outputs_transposed(interval: AxisInterval, window: SlidingWindow, n_outputs: int) -> AxisInterval:
    """Return the outputs of a transposed sliding window that any cell of the interval adds to."""
    first = (cell * window.stride - window.padding for cell in interval.first)
    return clipped(first, ((cell - 1) * window.stride - window.padding + window.extent for cell in interval.stop), n_outputs)


@lru_cache(maxsize=CACHE_SIZE)
def cells_read_transposed(outputs: AxisInterval, window: SlidingWindow) -> tuple[CellRange, tuple[int, ...]]:
    """Return the cells that add to the outputs of a transposed window, and where the outputs begin in what these cells give.

    The second value is the offset of the outputs at each place.
    """
    starts = tuple((start + window.padding - window.extent + 1) // window.stride for start in outputs.starts)
    offsets = tuple(start + window.padding - cell * window.stride for start, cell in zip(outputs.starts, starts, strict=True))
    last = ((start + outputs.size - 1 + window.padding) // window.stride for start in outputs.starts)
    size = max(after - cell + 1 for after, cell in zip(last, starts, strict=True))
    enough = -(-(max(offsets) + outputs.size - window.extent) // window.stride) + 1  # also where windows leave gaps
    return CellRange(starts, max(size, enough)), offsets


@lru_cache(maxsize=CACHE_SIZE)
def hull(a: AxisInterval, b: AxisInterval) -> AxisInterval:
    """Return the smallest interval that contains both; one of the two where that one does."""
    if a is b:
        return a
    both = clipped(map(min, a.first, b.first), map(max, a.stop, b.stop), a.axis_size)
    return next((one for one in (a, b) if one.same_cells(both)), both)


def affected_outputs_linear(interval: AxisInterval, reads: npt.NDArray[np.bool_]) -> AxisInterval:
    """Return the outputs of a linear map that read any cell of the interval; `reads[o, i]` says whether output o reads cell i."""
    ends = [_ends(reads[:, first:stop].any(1)) for first, stop in zip(interval.first, interval.stop, strict=True)]
    return clipped([first for first, _ in ends], [stop for _, stop in ends], len(reads))


def cells_read_linear(outputs: AxisInterval, reads: npt.NDArray[np.bool_]) -> AxisInterval:
    """Return the cells that the outputs of a linear map read; `reads[o, i]` says whether output o reads cell i."""
    ends = [_ends(reads[start : start + outputs.size].any(0)) for start in outputs.starts]
    return clipped([first for first, _ in ends], [stop for _, stop in ends], reads.shape[1])


def clipped(first: Iterable[int], stop: Iterable[int], axis_size: int) -> AxisInterval:
    """Return the interval of those cells that lie on the axis, with at least one cell at every place."""
    starts = tuple(min(max(cell, 0), axis_size - 1) for cell in first)
    stops = tuple(max(min(cell, axis_size), start + 1) for cell, start in zip(stop, starts, strict=True))
    return AxisInterval(starts, stops, axis_size)


def _ends(selected: Any) -> tuple[int, int]:
    """Return the first selected cell and the one after the last; the first cell of the axis where none is selected."""
    cells = np.flatnonzero(selected)
    return (int(cells[0]), int(cells[-1]) + 1) if len(cells) else (0, 1)
