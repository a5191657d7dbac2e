"""Where, on one axis of a tensor, the values are that a changed rectangle of the image can reach; integers, and no tensor.

A span is known for every place the rectangle may have, in cells of its own tensor. All places get the same number of cells, that of
the one that needs most, moved inwards at the borders: cells too many are computed to be what they were. So the parts of images with
rectangles at different places stack, and how a part is computed does not depend on what it is stacked with.

    a sliding window    cell o of the output reads cells o s − p + t d,  t = 0 … k − 1,  of its input
    any linear map      cell o of the output reads the cells i with M[o, i] ≠ 0

Spans are remembered: the same step from the same span gives the same object.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Cells = npt.NDArray[np.int64]
REMEMBERED = 8192


@dataclass(frozen=True, eq=False)
class Span:
    """Cells `starts[place] … starts[place] + size − 1` of an axis with `whole` cells; of a window, some may lie beyond its ends."""

    starts: tuple[int, ...]
    size: int
    whole: int

    @property
    def share(self) -> float:
        """Of the axis."""
        return self.size / self.whole

    def covers(self, other: "Span") -> bool:
        """Whether the cells are the same, wherever the rectangle lies."""
        return self is other or (self.size == other.size and self.starts == other.starts)

    @property
    def ends(self) -> Cells:
        """First cells after the span."""
        return np.array(self.starts) + self.size


class Slide(NamedTuple):
    """How a window moves along an axis; `before` cells stand in front of the first one."""

    kernel: int
    stride: int = 1
    dilation: int = 1
    before: int = 0

    @property
    def reach(self) -> int:
        """Cells from the first to the last that a window reads."""
        return (self.kernel - 1) * self.dilation + 1


def span_of(size: int, whole: int) -> Span:
    """The rectangle itself, wherever it fits."""
    return Span(tuple(range(whole - size + 1)), size, whole)


def fitted(first: Cells, after: Cells, whole: int) -> Span:
    """The smallest span that holds cells first … after − 1 at every place, at least one cell, moved inside the axis."""
    first = first.clip(0, whole - 1)
    size = int((after.clip(1, whole) - first).max())
    return Span(tuple(np.minimum(first, whole - max(size, 1)).tolist()), max(size, 1), whole)


@lru_cache(maxsize=REMEMBERED)
def slid(span: Span, slide: Slide, outputs: int) -> Span:
    """The outputs of a sliding window that read any cell of the span."""
    if slide == Slide(1) and outputs == span.whole:
        return span
    starts = np.array(span.starts)
    first = -(-(starts + slide.before - slide.reach + 1) // slide.stride)
    return fitted(first, (span.ends - 1 + slide.before) // slide.stride + 1, outputs)


@lru_cache(maxsize=REMEMBERED)
def read(outputs: Span, slide: Slide, whole: int) -> Span:
    """The cells that those outputs read."""
    if slide == Slide(1) and outputs.whole == whole:
        return outputs
    starts = np.array(outputs.starts) * slide.stride - slide.before
    return Span(tuple(starts.tolist()), (outputs.size - 1) * slide.stride + slide.reach, whole)


@lru_cache(maxsize=REMEMBERED)
def spread(span: Span, slide: Slide, outputs: int) -> Span:
    """The outputs of a transposed sliding window that any cell of the span goes to."""
    starts = np.array(span.starts) * slide.stride - slide.before
    return fitted(starts, (span.ends - 1) * slide.stride - slide.before + slide.reach, outputs)


@lru_cache(maxsize=REMEMBERED)
def gathered(outputs: Span, slide: Slide, whole: int) -> tuple[Span, tuple[int, ...]]:
    """The cells that go to those outputs of a transposed window, and where the outputs begin in what the cells alone make."""
    starts = np.array(outputs.starts)
    first = (starts + slide.before - slide.reach + 1) // slide.stride
    last = (outputs.ends - 1 + slide.before) // slide.stride
    offsets = starts + slide.before - first * slide.stride
    enough = -(-(int(offsets.max()) + outputs.size - slide.reach) // slide.stride) + 1  # also where windows leave gaps
    reading = Span(tuple(first.tolist()), max(int((last - first).max()) + 1, enough), whole)
    return reading, tuple(offsets.tolist())


@lru_cache(maxsize=REMEMBERED)
def hull(a: Span, b: Span) -> Span:
    """What covers both; one of the two where that does."""
    if a is b:
        return a
    first, after = np.minimum(a.starts, b.starts), np.maximum(a.ends, b.ends)
    both = fitted(first, after, a.whole)
    return next((one for one in (a, b) if one.covers(both)), both)


def touched(span: Span, linear: npt.NDArray[np.bool_]) -> Span:
    """The outputs of a linear map `[outputs, cells]` that read any cell of the span."""
    reads = np.concatenate([np.zeros_like(linear[:, :1], np.int64), linear.cumsum(1)], 1)
    hit = (reads[:, span.ends] - reads[:, list(span.starts)]) > 0
    return fitted(*_ends(hit.T), len(linear))


def supporting(outputs: Span, linear: npt.NDArray[np.bool_]) -> Span:
    """The cells that those outputs of a linear map read."""
    hit = np.stack([linear[start : start + outputs.size].any(0) for start in outputs.starts])
    return fitted(*_ends(hit), linear.shape[1])


def _ends(hit: npt.NDArray[np.bool_]) -> tuple[Cells, Cells]:
    """First and first-after-last of the cells that are true in each row; cell 0 where none is."""
    some = hit.any(1)
    first = np.where(some, hit.argmax(1), 0)
    return first, np.where(some, hit.shape[1] - hit[:, ::-1].argmax(1), 1)
