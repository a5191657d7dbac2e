"""Who computes what: outcomes of units in processes, and how units are shared out."""

import os
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import active_children
from pathlib import Path
from threading import Barrier

import pytest

from heatproof.core.errors import SettingsError
from heatproof.core.records import Failure
from heatproof.data.base import Item
from heatproof.evaluation.executors import LocalExecutor, SharedExecutor, UnitOutcome
from heatproof.evaluation.executors.local import PendingUnits
from heatproof.evaluation.experiment import Experiment
from heatproof.evaluation.plan import Network, Unit, plan
from heatproof.store import Run
from heatproof.store.claims import Claims

ITEMS = [Item(name=f"{i}.png", digest=f"d{i}", label=i) for i in range(4)]
METHODS = ["gradient", "random_map", "edge_map", "input_x_gradient"]


def units() -> Sequence[Unit]:
    """Four methods on each of four images."""
    experiment = Experiment.parse(
        {
            "name": "shared",
            "batch": 1,
            "models": [{"name": "squeezenet1_1"}],
            "dataset": {"name": "photos"},
            "methods": [{"name": name} for name in METHODS],
            "metrics": [{"name": "total_variation_curve"}],
        }
    )
    return plan(experiment, ITEMS, [Network("a network", {}, (1, 28, 28))])


def noted(run: Path, unit: Unit) -> None:
    """What happens to units of this test: a file says who had it."""
    if unit.method["name"] == "edge_map" and unit.items == (ITEMS[2],):
        os._exit(3)
    if unit.method["name"] == "random_map" and unit.items == (ITEMS[0],) and not (run / "lucky").exists():
        raise ValueError("no luck")
    time.sleep(0.05)
    (run / unit.key).write_text(str(os.getpid()))


def test_one_s_own_batch_comes_first_then_one_that_nobody_has_then_any() -> None:
    waiting = PendingUnits(units())
    taken: list[tuple[str, str]] = []

    def take(own: int | None, others: Sequence[int] = ()) -> None:
        batches = [("a network", (ITEMS[i],)) for i in others]
        unit, batch = waiting.take(None if own is None else ("a network", (ITEMS[own],)), batches)
        assert batch == (unit.model_digest, unit.items)
        taken.append((unit.items[0].name, unit.method["name"]))

    for own, others in ((None, ()), (1, (0,)), (0, (1,)), (None, (0, 1)), (None, (0, 1, 2)), (None, (0, 1, 2, 3))):
        take(own, others)
    assert [name for name, _ in taken] == ["0.png", "1.png", "0.png", "2.png", "3.png", "0.png"]
    assert len({method for name, method in taken if name == "0.png"}) == 3
    while waiting:
        take(3)
    assert len(set(taken)) == len(taken) == 16


def test_every_unit_has_an_outcome_in_every_round_and_a_batch_has_one_process_as_long_as_there_are_others(tmp_path: Path) -> None:
    work = units()
    outcomes = list(LocalExecutor(workers=2).compute(noted, tmp_path, [work[:8], [], work[8:]]))
    assert {outcome.unit.key for outcome in outcomes[:8]} == {unit.key for unit in work[:8]}
    assert {outcome.unit.key for outcome in outcomes[8:]} == {unit.key for unit in work[8:]}
    failed = {
        (outcome.unit.items[0].name, outcome.unit.method["name"]): outcome.failure.reason for outcome in outcomes if outcome.failure
    }
    assert failed == {
        ("0.png", "random_map"): "ValueError: no luck",
        ("2.png", "edge_map"): "RuntimeError: the unit's process died with exit code 3",
    }
    who = defaultdict(set)
    for unit in work[:8]:
        if (tmp_path / unit.key).exists():
            who[unit.items].add((tmp_path / unit.key).read_text())
    assert len(who) == 2
    assert sum(map(len, who.values())) <= 3  # the one that is done first helps with the other's


def test_processes_that_start_while_a_run_is_planned_compute_its_units_and_end_if_it_cannot_be(tmp_path: Path) -> None:
    executor, work = LocalExecutor(1), units()[:2]
    (tmp_path / "lucky").touch()
    with executor.preparing(tmp_path):
        executor.begin()
        executor.begin()
        (process,) = active_children()
    assert [outcome.failure for outcome in executor.compute(noted, tmp_path, [work])] == [None, None]
    assert {(tmp_path / unit.key).read_text() for unit in work} == {str(process.pid)}
    assert active_children() == []

    def fail() -> None:
        with executor.preparing(tmp_path):
            executor.begin()
            raise KeyError("planned")

    with pytest.raises(KeyError):
        fail()
    assert active_children() == []
    assert [outcome.failure for outcome in executor.compute(noted, tmp_path, [work])] == [None, None]


def test_a_unit_that_takes_too_long_is_stopped_and_the_others_go_on(tmp_path: Path) -> None:
    outcomes = list(LocalExecutor(workers=1, timeout=1).compute(slow, tmp_path, [units()[:3]]))
    assert [outcome.failure is not None for outcome in outcomes] == [False, True, False]
    assert "took longer than 1 s" in outcomes[1].failure.reason if outcomes[1].failure else False


def slow(run: Path, unit: Unit) -> None:
    """A minute for one of them."""
    time.sleep(60 if unit.method["name"] == "random_map" else 0)


@pytest.mark.parametrize("workers", [0, -1])
def test_fewer_than_one_process_is_refused(workers: int) -> None:
    with pytest.raises(SettingsError, match="workers: expected at least 1"):
        LocalExecutor(workers)


def stored(run: Path, unit: Unit) -> None:
    """Units that are stored at once, or fail; a unit that is computed twice fails the test."""
    if unit.method["name"] == "random_map" and unit.items == (ITEMS[0],) and not (run / "lucky").exists():
        raise ValueError("no luck")
    with (run / "computed").open("a") as file:
        file.write(unit.key + "\n")
    time.sleep(0.01)
    Run.create(run).write_part(unit.key, [])


def test_processes_that_share_a_folder_divide_the_units_and_all_end_when_all_is_done(tmp_path: Path) -> None:
    all_started = Barrier(3)

    def rounds() -> Iterator[list[Unit]]:
        all_started.wait()  # a process that starts later tries a unit again that failed before
        yield from (units(), [])

    def process() -> list[UnitOutcome]:
        outcomes = []
        for outcome in SharedExecutor(wait=0.01).compute(stored, tmp_path, rounds()):
            if outcome.failure is not None:
                Run.create(tmp_path).write_failure(outcome.unit.key, outcome.failure)
            outcomes.append(outcome)
        return outcomes

    (tmp_path / "claims").mkdir()
    left_behind = tmp_path / "claims" / units()[3].key
    left_behind.write_text("a process that died")
    os.utime(left_behind, (time.time() - 1000,) * 2)
    with ThreadPoolExecutor(3) as pool:
        found = [outcome for each in [pool.submit(process) for _ in range(3)] for outcome in each.result()]
    computed = (tmp_path / "computed").read_text().split()
    assert len(computed) == len(set(computed)) == 15
    assert len(found) == 16
    assert [outcome.failure.reason for outcome in found if outcome.failure] == ["ValueError: no luck"]
    assert list((tmp_path / "claims").iterdir()) == []


def test_a_unit_that_another_process_ends_just_before_the_claim_is_not_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, *_ = units()
    store, take = Run.create(tmp_path), Claims.take

    def other_was_faster(claims: Claims, name: str) -> bool:
        if name == first.key:
            store.write_failure(name, Failure(unit=name, what="a unit", reason="ValueError: no luck"))
        else:
            store.write_part(name, [])
        return take(claims, name)

    monkeypatch.setattr(Claims, "take", other_was_faster)
    assert list(SharedExecutor(wait=0.01).compute(stored, tmp_path, [[first, second]])) == []


def test_one_process_at_a_time_prepares_a_shared_run(tmp_path: Path) -> None:
    inside: list[int] = []

    def prepare() -> int:
        with SharedExecutor(wait=0.01).preparing(tmp_path):
            inside.append(1)
            most = len(inside)
            time.sleep(0.05)
            inside.pop()
        return most

    with ThreadPoolExecutor(3) as pool:
        assert [each.result() for each in [pool.submit(prepare) for _ in range(3)]] == [1, 1, 1]
