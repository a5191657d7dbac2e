"""A network, or its process, goes wrong: the unit fails and says why, and the next start ends as an undisturbed run."""

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


@pytest.mark.parametrize("kind", ["nan", "shape", "batch", "crash"])
def test_a_network_that_goes_wrong_once_at_any_call_leaves_no_wrong_number(kind, undisturbed, tmp_path, monkeypatch):
    wanted, whole, calls = undisturbed
    failed = 0
    for call in range(5, calls + 1, 5):
        folder = tmp_path / f"run-{call}"
        monkeypatch.setenv(VARIABLE, f"{kind}:{call}:{tmp_path}")
        Faulty.calls = 0
        try:
            failures = start(wanted, folder).failures
        except HeatproofError as error:
            failures = (error,)
        finally:
            forget()
        failed += len(failures)
        check_consistent(folder)
        monkeypatch.delenv(VARIABLE)
        start(wanted, folder)
        assert content(folder) == whole, call
    assert failed


def test_where_memory_runs_out_once_fewer_passes_are_computed_at_once_and_records_are_the_same_but_for_rounding(
    undisturbed, tmp_path, monkeypatch
):
    wanted, _, calls = undisturbed
    start(wanted, tmp_path / "whole")
    monkeypatch.setenv(VARIABLE, f"memory:{calls}:{tmp_path}")
    Faulty.calls = 0
    assert start(wanted, tmp_path / "run").failures == ()
    values = "SELECT value FROM records ORDER BY unit, metric, component, image"
    found, expected = (Run(tmp_path / name).query(values)["value"].to_pylist() for name in ("run", "whole"))
    assert found == pytest.approx(expected, rel=1e-5, nan_ok=True)


def test_a_network_that_always_answers_nan_is_no_fault_and_its_records_say_so(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "nan:0:")
    assert start(experiment(tmp_path, **NETWORK), tmp_path / "run").failures == ()
    (notes,) = (
        Run(tmp_path / "run").query("SELECT DISTINCT notes FROM records WHERE metric = 'pixel_flipping'")["notes"].to_pylist()
    )
    assert "NaN or infinity" in notes


@pytest.mark.slow
def test_a_worker_that_is_killed_and_one_that_hangs_cost_their_units_and_the_next_start_computes_them(
    undisturbed, tmp_path, monkeypatch
):
    wanted, whole, _ = undisturbed
    monkeypatch.setenv(VARIABLE, f"kill+hang:9:{tmp_path}")
    killed, hung = start(wanted, tmp_path / "run", LocalExecutor(workers=1, timeout=10)).failures
    assert "exit code -9; a system that runs out of memory ends processes so" in killed.reason + hung.reason
    assert "took longer than 10 s" in killed.reason + hung.reason
    check_consistent(tmp_path / "run")
    assert sorted(unit.outcome for unit in logged_units(tmp_path / "run")) == ["done", "done", "failed", "failed", "lost", "lost"]
    monkeypatch.delenv(VARIABLE)
    start(wanted, tmp_path / "run")
    assert content(tmp_path / "run") == whole
