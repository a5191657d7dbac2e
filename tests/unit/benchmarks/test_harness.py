import sys
from collections.abc import Callable
from functools import partial

import pytest

from benchmarks import harness
from benchmarks.goals import GOALS, goal
from benchmarks.groups import GROUPS
from benchmarks.harness import FULL, SHORT, Row, Size, Spread, Timed, fastest, in_turn, peak_growth


def test_everything_runs_in_turn_and_every_other_round_backwards() -> None:
    asked: list[tuple[str, Size]] = []

    def work(size: Size, name: str) -> str:
        asked.append((name, size))
        return f"{name} done"

    timed = in_turn({name: partial(work, name=name) for name in "abc"}, FULL, 3)
    assert asked[:3] == [("a", SHORT), ("b", SHORT), ("c", SHORT)], "a short warm-up of each"
    assert "".join(name for name, size in asked[3:] if size == FULL) == "abccbaabc"
    assert {name: len(seconds) for name, seconds in timed.seconds.items()} == {"a": 3, "b": 3, "c": 3}
    assert timed.answers["b"] == "b done"


def test_a_ratio_is_taken_within_a_round() -> None:
    """A machine that gets ten times slower changes nothing."""
    timed = Timed({"theirs": [2.0, 30.0, 4.4], "ours": [1.0, 10.0, 2.0]}, {"theirs": [3.0, 8.0], "ours": [1.0, 2.0]}, {})
    assert timed.ratio("theirs", "ours") == pytest.approx(Spread(2.2, 2.0, 3.0))
    assert timed.ratio("ours", "theirs", scale=2) == pytest.approx(Spread(1 / 1.1, 2 / 3, 1.0))
    assert timed.processor_ratio("theirs", "ours") == pytest.approx(Spread(3.5, 3.0, 4.0))


def test_the_fastest_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 0.0

    def work(size: Size, seconds: float) -> None:
        nonlocal clock
        clock += seconds

    monkeypatch.setattr(harness.time, "perf_counter", lambda: clock)
    assert fastest({n: partial(work, seconds=seconds) for n, seconds in ((32, 3.0), (16, 1.0), (8, 2.0))}, FULL) == 16


def row(group: str, case: str, network: str, ratio: float | None) -> Row:
    spread = None if ratio is None else Spread(ratio, ratio, ratio)
    return Row.of(group, case, network, work="work", peer="peer 1.0", spread=spread)


@pytest.mark.parametrize(
    ("group", "case", "network", "ratio", "met"),
    [
        ("integrated_gradients", "exact", "squeezenet1_1", 1.2, True),
        ("integrated_gradients", "exact", "efficientnet_lite0", 1.2, False),
        ("memory", "peak", "vgg16", 0.05, True),
        ("memory", "peak", "vgg16", 0.2, False),
        ("memory", "peak", "vgg16", None, None),
        ("integrated_gradients", "plain", "vgg16", 0.5, None),
        ("overhead", "SmoothTaylor", "resnet50", 1.04, True),
    ],
)
def test_a_goal_is_met_in_its_own_direction(group: str, case: str, network: str, ratio: float | None, met: bool | None) -> None:
    assert row(group, case, network, ratio).met is met


def test_every_goal_is_for_a_group_that_there_is() -> None:
    assert {group for group, _, _ in GOALS} <= set(GROUPS)
    assert goal("growth", "side, peak memory", "resnet18") is None


def hold(mebibytes: int) -> Callable[[], object]:
    kept = bytearray(64 * 2**20)  # what was there before does not count
    return lambda: (kept, bytearray(b"\1") * (mebibytes * 2**20))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_peak_growth_is_what_the_work_held() -> None:
    assert peak_growth(hold, 100) == pytest.approx(100, abs=10)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_measurement_that_dies_says_why() -> None:
    with pytest.raises(RuntimeError, match="TypeError"):
        peak_growth(hold, "many")
