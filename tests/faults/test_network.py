"""A network, or the process that runs it, goes wrong: the unit fails and says why, and the next start ends as an undisturbed run."""

import pytest

from heatproof.core.errors import HeatproofError
from heatproof.evaluation.executors import LocalExecutor
from heatproof.evaluation.worker import forget
from heatproof.store import Run
from heatproof.store.run_log import logged_units
from tests.faults.faulty_network import VARIABLE, Faulty
from tests.faults.small_run import check_consistent, content, experiment, start

NETWORK = {"models": ["tests.faults.faulty_network:build"]}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The experiment, what an undisturbed run of it holds, and how often that run calls the network."""
    folder = tmp_path_factory.mktemp("undisturbed")
    wanted = experiment(folder, images=2, **NETWORK)
    Faulty.calls = 0
    assert start(wanted, folder / "run").failures == ()
    return wanted, content(folder / "run"), Faulty.calls


@pytest.mark.parametrize("kind", ["nan", "shape", "batch", "memory", "crash"])
def test_a_network_that_goes_wrong_once_at_any_call_leaves_no_wrong_number(kind, undisturbed, tmp_path, monkeypatch):
    wanted, whole, calls = undisturbed
    failed = 0
    for call in range(1, calls + 1, 5):
        folder = tmp_path / f"run-{call}"
        monkeypatch.setenv(VARIABLE, f"{kind}:{call}:{tmp_path}")
        Faulty.calls = 0
        try:
            summary = start(wanted, folder)
            failed += len(summary.failures)
            assert all(failure.reason and failure.traceback for failure in summary.failures)
        except HeatproofError as error:
            assert "\n" not in str(error)
            failed += 1
        finally:
            forget()
        check_consistent(folder)
        monkeypatch.delenv(VARIABLE)
        start(wanted, folder)
        assert content(folder) == whole, call
    assert failed


def test_a_unit_that_always_crashes_fails_alone_in_every_start(undisturbed, tmp_path, monkeypatch):
    wanted, whole, calls = undisturbed
    monkeypatch.setenv(VARIABLE, f"crash:{calls - 3}:")
    for _ in range(2):
        Faulty.calls = 0
        (failure,) = start(wanted, tmp_path / "run").failures
        assert "a kernel" in failure.reason
        assert len(Run(tmp_path / "run").done()) == 3
        Faulty.calls = calls  # the next start only has this unit
    monkeypatch.delenv(VARIABLE)
    start(wanted, tmp_path / "run")
    assert content(tmp_path / "run") == whole


@pytest.mark.slow
def test_a_worker_that_is_killed_and_one_that_hangs_cost_their_units_and_the_next_start_computes_them(
    undisturbed, tmp_path, monkeypatch
):
    wanted, whole, _ = undisturbed
    reasons = []
    for kind in ("kill", "hang"):
        monkeypatch.setenv(VARIABLE, f"{kind}:9:{tmp_path}")
        summary = start(wanted, tmp_path / "run", LocalExecutor(workers=1, timeout=10))
        reasons += [failure.reason for failure in summary.failures]
        check_consistent(tmp_path / "run")
    assert "exit code -9; a system that runs out of memory ends processes so" in reasons[0]
    assert "took longer than 10 s" in reasons[1]
    assert [unit.outcome for unit in logged_units(tmp_path / "run")].count("failed") == 2
    monkeypatch.delenv(VARIABLE)
    start(wanted, tmp_path / "run")
    assert content(tmp_path / "run") == whole
