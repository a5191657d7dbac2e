"""Where, on one axis of a tensor, the values are that a changed rectangle of the image can reach; integers, and no tensor.

A span is known for one or more places of the rectangle. Those that stack get the same number of cells, that of the one that needs
most, moved inwards at the borders: cells too many are computed to be what they were.

    a sliding window    cell o of the output reads cells o s − p + t d,  t = 0 … k − 1,  of its input
    any linear map      cell o of the output reads the cells i with M[o, i] ≠ 0

Spans are remembered: the same step from the same span gives the same object.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

REMEMBERED = 4096


@dataclass(frozen=True, eq=False)
class AxisInterval:
    """At each place, cells `first` … `after` − 1 of an axis that has `whole` cells; of a window, some may lie beyond its ends."""

    first: tuple[int, ...]
    after: tuple[int, ...]
    whole: int

    @cached_property
    def size(self) -> int:
        """CellRange at every place, so that they stack."""
        return max(after - first for first, after in zip(self.first, self.after, strict=True))

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """Where they begin, so that none lies beyond the end."""
        most = self.whole - self.size
        return tuple(min(first, most) for first in self.first)

    @property
    def share(self) -> float:
        """Of the axis."""
        return self.size / self.whole

    def covers(self, other: "AxisInterval") -> bool:
        """Whether the cells are the same at every place."""
        return self is other or (self.first == other.first and self.after == other.after and self.whole == other.whole)


class CellRange(NamedTuple):
    """CellRange that are read: where they begin at each place, and how many they are. Some may lie beyond the axis."""

    starts: tuple[int, ...]
    size: int


class SlidingWindow(NamedTuple):
    """How a window moves along an axis; `before` cells stand in front of the first one."""

    kernel: int
    stride: int = 1
    dilation: int = 1
    before: int = 0

    @property
    def reach(self) -> int:
        """CellRange from the first to the last that a window reads."""
        return (self.kernel - 1) * self.dilation + 1


ONE = SlidingWindow(1)


@lru_cache(maxsize=REMEMBERED)
def span_at(places: tuple[int, ...], size: int, whole: int) -> AxisInterval:
    """The rectangle itself, where it begins at these places."""
    return AxisInterval(places, tuple(place + size for place in places), whole)


@lru_cache(maxsize=REMEMBERED)
def slid(span: AxisInterval, slide: SlidingWindow, outputs: int) -> AxisInterval:
    """The outputs of a sliding window that read any cell of the span."""
    if slide == ONE and outputs == span.whole:
        return span
    first = (-(-(cell + slide.before - slide.reach + 1) // slide.stride) for cell in span.first)
    return fitted(first, ((cell - 1 + slide.before) // slide.stride + 1 for cell in span.after), outputs)


@lru_cache(maxsize=REMEMBERED)
def read(outputs: AxisInterval, slide: SlidingWindow, span: AxisInterval) -> AxisInterval | CellRange:
    """The cells that those outputs read; the span itself, where it is those."""
    if slide == ONE and outputs is span:
        return span
    starts = tuple(start * slide.stride - slide.before for start in outputs.starts)
    reading = CellRange(starts, (outputs.size - 1) * slide.stride + slide.reach)
    return span if slide.kernel == slide.stride == 1 and reading == CellRange(span.starts, span.size) else reading


@lru_cache(maxsize=REMEMBERED)
def spread(span: AxisInterval, slide: SlidingWindow, outputs: int) -> AxisInterval:
    """The outputs of a transposed sliding window that any cell of the span goes to."""
    first = (cell * slide.stride - slide.before for cell in span.first)
    return fitted(first, ((cell - 1) * slide.stride - slide.before + slide.reach for cell in span.after), outputs)


@lru_cache(maxsize=REMEMBERED)
def gathered(outputs: AxisInterval, slide: SlidingWindow) -> tuple[CellRange, tuple[int, ...]]:
    """The cells that go to those outputs of a transposed window, and where the outputs begin in what the cells alone make."""
    starts = tuple((start + slide.before - slide.reach + 1) // slide.stride for start in outputs.starts)
    offsets = tuple(start + slide.before - cell * slide.stride for start, cell in zip(outputs.starts, starts, strict=True))
    last = ((start + outputs.size - 1 + slide.before) // slide.stride for start in outputs.starts)
    size = max(after - cell + 1 for after, cell in zip(last, starts, strict=True))
    enough = -(-(max(offsets) + outputs.size - slide.reach) // slide.stride) + 1  # also where windows leave gaps
    return CellRange(starts, max(size, enough)), offsets


@lru_cache(maxsize=REMEMBERED)
def hull(a: AxisInterval, b: AxisInterval) -> AxisInterval:
    """What covers both; one of the two where that does."""
    if a is b:
        return a
    both = fitted(map(min, a.first, b.first), map(max, a.after, b.after), a.whole)
    return next((one for one in (a, b) if one.covers(both)), both)


def touched(span: AxisInterval, linear: npt.NDArray[np.bool_]) -> AxisInterval:
    """The outputs of a linear map `[outputs, cells]` that read any cell of the span."""
    ends = [_ends(linear[:, first:after].any(1)) for first, after in zip(span.first, span.after, strict=True)]
    return fitted([first for first, _ in ends], [after for _, after in ends], len(linear))


def supporting(outputs: AxisInterval, linear: npt.NDArray[np.bool_]) -> AxisInterval:
    """The cells that those outputs of a linear map read."""
    ends = [_ends(linear[start : start + outputs.size].any(0)) for start in outputs.starts]
    return fitted([first for first, _ in ends], [after for _, after in ends], linear.shape[1])


def fitted(first: Iterable[int], after: Iterable[int], whole: int) -> AxisInterval:
    """What of these cells lies on the axis, at every place one at least."""
    starts = tuple(min(max(cell, 0), whole - 1) for cell in first)
    return AxisInterval(starts, tuple(max(min(cell, whole), start + 1) for cell, start in zip(after, starts, strict=True)), whole)


def _ends(hit: Any) -> tuple[int, int]:
    """First and first-after-last cell that is true; the first cell where none is."""
    cells = np.flatnonzero(hit)
    return (int(cells[0]), int(cells[-1]) + 1) if len(cells) else (0, 1)
