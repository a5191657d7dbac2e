"""Two commands on one run, clocks that jump, parts that are damaged between two starts: the records are those of a quiet run."""

import os
import random
import time

import pytest

from heatproof.evaluation.executors import SerialExecutor, SharedExecutor
from heatproof.evaluation.run import run_experiment
from heatproof.store import Run
from heatproof.store.run_log import logged_units
from heatproof.store.status import status
from tests.faults.small_run import check_consistent, content, experiment, start


@pytest.mark.parametrize("executor", [SerialExecutor(), SharedExecutor(stale=60, wait=0.001)], ids=["serial", "shared"])
def test_a_second_command_that_runs_through_while_the_first_one_is_under_way_changes_nothing(executor, tmp_path):
    wanted, begun = experiment(tmp_path, images=2), []

    def another(progress):
        if progress.last is not None and not begun:
            begun.append(progress.done)
            assert start(wanted, tmp_path / "run", executor).failures == ()

    run_experiment(wanted, tmp_path / "run", executor, another, source="# the experiment")
    start(wanted, tmp_path / "quiet")
    assert begun == [1]
    assert content(tmp_path / "run") == content(tmp_path / "quiet")
    assert list((tmp_path / "run").glob("claims/*")) == []


def test_clocks_that_jump_cost_no_unit(tmp_path, monkeypatch):
    wanted, chance, utime = experiment(tmp_path, images=2), random.Random(0), os.utime
    start(wanted, tmp_path / "quiet")
    now = time.time

    def jumped():
        return now() + chance.uniform(-7200, 7200)

    monkeypatch.setattr(time, "time", jumped)
    monkeypatch.setattr(os, "utime", lambda path, times=None: utime(path, times or (jumped(),) * 2))
    left_behind = tmp_path / "run" / "claims" / Run(tmp_path / "quiet").manifest().units[0].keys.split()[0]
    left_behind.parent.mkdir(parents=True)
    left_behind.write_text("a process that died when the clock was an hour ahead")
    utime(left_behind, (now() + 3600,) * 2)
    start(wanted, tmp_path / "run", SharedExecutor(stale=0.3, wait=0.01))
    assert content(tmp_path / "run") == content(tmp_path / "quiet")


@pytest.mark.parametrize("kind", ["torn", "of another unit", "a link out of the folder", "a folder"])
def test_parts_that_are_damaged_between_two_starts_are_set_aside_named_and_computed_anew(kind, tmp_path):
    wanted, folder = experiment(tmp_path), tmp_path / "run"
    start(wanted, folder)
    whole = content(folder)
    first, second = Run(folder).parts()
    if kind == "torn":
        first.write_bytes(first.read_bytes()[:-9])
    elif kind == "of another unit":
        first.write_bytes(second.read_bytes())
    else:
        first.unlink()
        first.mkdir() if kind == "a folder" else first.symlink_to("/etc/hostname")
    (fault,) = start(wanted, folder).set_aside
    assert fault.what == str(first)
    assert content(folder) == whole
    check_consistent(folder)


def test_the_log_says_what_every_unit_took_and_the_status_is_true_while_a_run_goes(tmp_path):
    wanted, seen = experiment(tmp_path, images=3), []

    def look(progress):
        found = status(Run(tmp_path / "run"))
        seen.append((progress.done, found.done, len(found.running)))

    run_experiment(wanted, tmp_path / "run", SerialExecutor(), look)
    assert seen == [(done, done, 0) for done in range(7)]
    units = [*logged_units(tmp_path / "run")]
    assert [unit.outcome for unit in units] == ["done"] * 6
    assert all(unit.seconds > 0 and unit.start < unit.end and unit.forward > 0 and unit.peak_bytes > 1e7 for unit in units)
    assert status(Run(tmp_path / "run")).left == 0


def test_a_process_that_is_stopped_between_two_units_leaves_no_claim_to_the_others(tmp_path, monkeypatch):
    outcomes, compute = [], SharedExecutor.compute

    def kept(*given):
        outcomes.append(compute(*given))
        return outcomes[-1]  # which is alive after the run, as where a traceback holds its frames

    def stop(progress):
        if progress.last is not None:
            raise KeyboardInterrupt

    monkeypatch.setattr(SharedExecutor, "compute", kept)
    with pytest.raises(KeyboardInterrupt):
        run_experiment(experiment(tmp_path), tmp_path / "run", SharedExecutor(), stop)
    assert list((tmp_path / "run" / "claims").iterdir()) == []
