"""An interval of a number that has bounds lies within them, whatever was measured: an area of 1.19 is none.

Every function of `stats` that returns an interval stands in `INTERVALS`, or in `UNBOUNDED` if its number has no bounds.
"""

from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from inspect import isfunction
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from heatproof import stats
from heatproof.core.records import Direction

SHARES = st.one_of(st.floats(0, 1, width=32), st.sampled_from([0.0, 0.5, 1.0, 1 - 1e-9, 1e-9]))
SCORES = hnp.arrays(np.float64, st.tuples(st.integers(3, 5), st.integers(2, 9)), elements=SHARES)
"""Scores [methods, images] in [0, 1]."""

Ends = Iterator[tuple[Any, Any]]


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def _weights(scores: np.ndarray) -> np.ndarray:
    return stats.resampling_weights(scores.shape[1], 40, _rng())


def _student(x: np.ndarray) -> Ends:
    for row in x:
        found = stats.student(row, bounds=(0, 1))
        yield found.low, found.high


def _student_of_differences(x: np.ndarray) -> Ends:
    found = stats.student(x[0] - x[1], bounds=(-1, 1))
    yield found.low, found.high


def _means(x: np.ndarray) -> Ends:
    for kind in ("percentile", "expanded", "bca"):
        found = stats.mean_interval(x, _weights(x), kind=kind)
        yield found.low, found.high


def _each(*found: Any) -> Ends:
    for one in found:
        yield one.low, one.high


def _relate(x: np.ndarray) -> Ends:
    found = stats.relate(x.T, x.T[:, ::-1], _weights(x)).statistics
    yield from (found[name].interval() for name in stats.STATISTICS if name not in ("slope", "residual"))


def _detect(x: np.ndarray) -> Ends:
    found = stats.detect(x[0], x[1], _weights(x))
    yield from (found.area.interval(), found.rate.interval())


def _sign_flips(x: np.ndarray) -> Ends:
    low, high = stats.sign_flip_interval(x[0] - x[1], _rng(), alpha=0.2)
    if np.isfinite(high - low):  # else there is no interval
        yield low, high


INTERVALS: dict[str, tuple[tuple[float, float], Callable[[np.ndarray], Ends]]] = {
    "student": ((0, 1), _student),
    "student, of differences": ((-1, 1), _student_of_differences),
    "mean_interval": ((0, 1), _means),
    "compare": ((-1, 1), lambda x: _each(stats.compare(x[0], x[1], _weights(x), _rng()))),
    "compare_each": ((-1, 1), lambda x: _each(*stats.compare_each(x[1:], x[0], _weights(x), _rng))),
    "sign_flip_interval": ((-1, 1), _sign_flips),
    "wilson": ((0, 1), lambda x: iter([stats.wilson(int((x > 0.5).sum()), x.size)])),
    "calibrate": ((0, 1), lambda x: _each(stats.calibrate(x, _rng(), pairs=20, permutations=20))),
    "climb": ((-1, 1), lambda x: _each(stats.climb(x, np.arange(float(len(x))), Direction.HIGHER, _weights(x)))),
    "kendall_matrix": ((-1, 1), lambda x: _each(stats.kendall_matrix(np.stack([x, x[::-1]]), [Direction.HIGHER] * 2, _weights(x)))),
    "krippendorff_alpha": ((-np.inf, 1), lambda x: _each(stats.krippendorff_alpha(x, _weights(x)))),
    "split_half": ((-np.inf, 1), lambda x: _each(stats.split_half(x, _rng(), splits=10))),
    "rank": ((1, 5), lambda x: _each(stats.rank(x, Direction.LOWER, _rng(), draws=40))),
    "relate": ((-1, 1), _relate),
    "detect": ((0, 1), _detect),
}
UNBOUNDED = {"effect_size"}


@pytest.mark.parametrize("name", INTERVALS)
@given(scores=SCORES)
def test_an_interval_lies_within_the_bounds_of_its_number(name: str, scores: np.ndarray) -> None:
    (least, most), intervals = INTERVALS[name]
    for low, high in intervals(scores):
        assert not np.any(np.asarray(low) < least - 1e-9), (low, least)
        assert not np.any(np.asarray(high) > most + 1e-9), (high, most)


@pytest.mark.parametrize("name", [name for name in INTERVALS if name != "wilson"])  # whose trials are no images
def test_one_image_has_no_interval(name: str) -> None:
    for low, high in INTERVALS[name][1](np.array([[0.25], [0.5], [1.0]])):
        assert not np.isfinite(low).any()
        assert not np.isfinite(high).any()


def test_every_function_of_an_interval_is_tried() -> None:
    def has_ends(kind: Any) -> bool:
        if isinstance(kind, type) and is_dataclass(kind):
            inner = get_type_hints(kind)
            return "low" in inner or hasattr(kind, "interval") or any(map(has_ends, inner.values()))
        return kind == tuple[float, float] or any(map(has_ends, get_args(kind)))

    members = {name: getattr(stats, name) for name in stats.__all__}
    found = {name for name, each in members.items() if isfunction(each) and has_ends(each.__annotations__["return"])}
    assert found == {name.partition(",")[0] for name in INTERVALS} | UNBOUNDED
