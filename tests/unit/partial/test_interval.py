"""Affected cells along an axis, against a dense matrix of which output reads which cell."""

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from heatproof.partial.interval import (
    AxisInterval,
    CellRange,
    SlidingWindow,
    affected_outputs,
    affected_outputs_linear,
    affected_outputs_transposed,
    cells_read,
    cells_read_linear,
    cells_read_transposed,
    hull,
    rectangle_interval,
)

AXIS = 17
windows = st.builds(SlidingWindow, st.integers(1, 4), st.integers(1, 3), st.integers(1, 2), st.integers(0, 3))
places = st.lists(st.integers(0, AXIS - 4), min_size=1, max_size=3).map(tuple)
sizes = st.integers(1, 4)


def reads(window: SlidingWindow) -> npt.NDArray[np.bool_]:
    """`[outputs, cells]`: which output of the sliding window reads which cell of the axis."""
    n_outputs = (AXIS + 2 * window.padding - window.extent) // window.stride + 1
    matrix = np.zeros((n_outputs, AXIS), dtype=np.bool_)
    for output in range(n_outputs):
        for tap in range(window.kernel):
            cell = output * window.stride - window.padding + tap * window.dilation
            if 0 <= cell < AXIS:
                matrix[output, cell] = True
    return matrix


def cells_at(interval: AxisInterval | CellRange, place: int) -> set[int]:
    return set(range(interval.starts[place], interval.starts[place] + interval.size))


def selected(row: npt.NDArray[np.bool_]) -> set[int]:
    return set(np.flatnonzero(row).tolist())


@given(windows, places, sizes)
def test_a_sliding_window_affects_all_outputs_that_read_the_interval(window: SlidingWindow, at: tuple[int, ...], size: int) -> None:
    interval, matrix = rectangle_interval(at, size, AXIS), reads(window)
    outputs = affected_outputs(interval, window, len(matrix))
    needed = cells_read(outputs, window, interval)
    for place, first in enumerate(at):
        assert selected(matrix[:, first : first + size].any(1)) <= cells_at(outputs, place)
        assert cells_at(outputs, place) <= set(range(len(matrix)))
        assert selected(matrix[sorted(cells_at(outputs, place))].any(0)) <= cells_at(needed, place)


@given(windows, places, sizes)
def test_a_linear_map_affects_all_outputs_that_read_the_interval(window: SlidingWindow, at: tuple[int, ...], size: int) -> None:
    interval, matrix = rectangle_interval(at, size, AXIS), reads(window)
    outputs = affected_outputs_linear(interval, matrix)
    needed = cells_read_linear(outputs, matrix)
    for place, first in enumerate(at):
        assert selected(matrix[:, first : first + size].any(1)) <= cells_at(outputs, place)
        assert selected(matrix[sorted(cells_at(outputs, place))].any(0)) <= cells_at(needed, place)


@given(windows, places, sizes)
def test_a_transposed_window_affects_all_outputs_that_the_interval_adds_to(
    window: SlidingWindow, at: tuple[int, ...], size: int
) -> None:
    interval = rectangle_interval(at, size, AXIS)
    n_outputs = (AXIS - 1) * window.stride - 2 * window.padding + window.extent
    outputs = affected_outputs_transposed(interval, window, n_outputs)
    cells, offsets = cells_read_transposed(outputs, window)
    for place, first in enumerate(at):
        taps = range(0, window.extent, window.dilation)
        added = {cell * window.stride - window.padding + tap for cell in range(first, first + size) for tap in taps}
        assert added & set(range(n_outputs)) <= cells_at(outputs, place)
        length = (cells.size - 1) * window.stride + window.extent  # of what these cells give
        assert offsets[place] == outputs.starts[place] + window.padding - cells.starts[place] * window.stride
        assert 0 <= offsets[place] <= length - outputs.size


def test_places_get_the_size_of_the_largest_and_stay_on_the_axis() -> None:
    interval = AxisInterval((0, 3, 8), (2, 7, 10), 10)
    assert interval.size == 4
    assert interval.starts == (0, 3, 6)
    assert interval.share == 0.4


def test_the_hull_is_one_of_the_two_where_that_one_contains_the_other() -> None:
    wide, narrow = AxisInterval((1, 2), (6, 7), 9), AxisInterval((2, 3), (4, 7), 9)
    assert hull(wide, narrow) is wide
    assert hull(narrow, wide) is wide
    both = hull(narrow, AxisInterval((4, 0), (5, 1), 9))
    assert (both.first, both.stop) == ((2, 0), (5, 7))


def test_the_same_step_from_the_same_interval_is_the_same_object() -> None:
    interval = rectangle_interval((3, 5), 2, AXIS)
    assert rectangle_interval((3, 5), 2, AXIS) is interval
    assert affected_outputs(interval, SlidingWindow(3), 15) is affected_outputs(interval, SlidingWindow(3), 15)
