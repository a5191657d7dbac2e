import os
import subprocess
import sys

import pytest

from heatproof.store.run_log import RunLog, logged_processes, logged_units
from heatproof.store.status import status
from tests.unit.store.made import made

NAMES = {"method": "Gradient", "model": "m"}


def ended(log, unit, seconds):
    log.write("start", unit=unit, **NAMES)
    log.write("end", unit=unit, **NAMES, outcome="done", seconds=seconds, forward=2, backward=1, peak_bytes=int(1e6 * seconds))


def test_the_time_left_is_that_of_the_units_that_are_left_at_the_pace_of_the_processes_that_compute(tmp_path):
    units = tuple(f"u{i}" for i in range(1, 9))
    run = made(tmp_path / "run", units, finished=("u1", "u2", "u3"))
    logs = [RunLog(run.path) for _ in range(2)]
    ended(logs[0], "u1", 30), ended(logs[0], "u2", 30), ended(logs[1], "u3", 30)
    found = status(run)
    assert found.running == ()
    assert repr((found.rate, found.left)) == "(nan, nan)"  # nobody computes
    logs[0].write("start", unit="u4", **NAMES)
    logs[1].write("start", unit="u5", **NAMES)
    found = status(run)
    assert {unit.unit for unit in found.running} == {"u4", "u5"}
    assert found.rate == pytest.approx(2 / 30)
    assert found.left == pytest.approx(5 * 30 / 2, abs=2)
    assert (found.slowest.seconds, found.peak_bytes) == (30, 30_000_000)


def test_a_unit_that_failed_since_the_start_is_not_waited_for(tmp_path):
    run = made(tmp_path / "run", ("u1", "u2", "u3"), finished=("u1",))
    log = RunLog(run.path)
    log.write("run", outcome="started")
    ended(log, "u1", 10)
    log.write("start", unit="u2", **NAMES)
    log.write("end", unit="u2", **NAMES, outcome="failed", reason="ValueError: no luck")
    log.write("start", unit="u3", **NAMES)
    assert status(run).left == pytest.approx(10, abs=1)
    assert [unit.reason for unit in logged_units(run.path) if unit.outcome == "failed"] == ["ValueError: no luck"]


def test_a_process_that_was_killed_computes_nothing_any_more(tmp_path):
    code = "import os, sys; from heatproof.store.run_log import RunLog; RunLog(sys.argv[1]).write('start', unit='u1'); os.abort()"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert [unit.outcome for unit in logged_units(tmp_path)] == ["lost"]
    assert [process.alive for process in logged_processes(tmp_path)] == [False]


def test_a_run_that_ended_computes_nothing_though_its_process_lives(tmp_path):
    log = RunLog(tmp_path)
    log.write("run", outcome="started")
    log.write("start", unit="u1", **NAMES)
    log.write("run", outcome="stopped")
    assert [unit.outcome for unit in logged_units(tmp_path)] == ["lost"]


@pytest.mark.parametrize(
    "line",
    [
        b'{"event": "end", "unit"',
        b"\xff\xfe",
        b"[]",
        b'{"event": 5}',
        b"[" * 5000,
        b'{"event": "end", "unit": 7, "seconds": -1e400}',
    ],
)
def test_lines_that_are_torn_or_strange_are_passed_over(line, tmp_path):
    log = RunLog(tmp_path)
    ended(log, "u1", 1)
    (file,) = (tmp_path / "log").iterdir()
    file.write_bytes(file.read_bytes() + line + b"\n")
    ended(log, "u2", 1)
    assert {"u1", "u2"} <= {unit.unit for unit in logged_units(tmp_path)}


def test_the_file_of_a_log_is_named_by_the_machine_without_its_strange_characters(tmp_path, monkeypatch):
    monkeypatch.setattr("platform.node", lambda: "../a b")
    assert RunLog(tmp_path).process.startswith(f"-a-b-{os.getpid()}-")
