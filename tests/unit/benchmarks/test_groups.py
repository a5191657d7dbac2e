"""Every group on a tiny network: it runs, and its rows are whole. Peers are not installed with the tests."""

import json
from collections.abc import Iterator
from dataclasses import asdict

import pytest

from benchmarks import __main__ as command
from benchmarks.groups import GROUPS, group
from benchmarks.harness import SHORT
from benchmarks.subjects import subject

PEERS = {"captum", "pytorch_grad_cam", "quantus", "sklearn", "zennit"}
"""What a group may import that is not installed with the tests."""
PROCESSES = {"memory", "backward_rules_memory", "growth", "units", "workers"}
"""Groups that start processes of their own; `python -m benchmarks --smoke` runs them."""


@pytest.fixture(autouse=True)
def _leave_nothing() -> Iterator[None]:
    yield
    subject.cache_clear()


@pytest.mark.parametrize("name", [name for name in GROUPS if name not in PROCESSES])
def test_a_group_runs_and_its_rows_are_whole(name: str) -> None:
    try:
        rows = list(group(name).rows("tiny", SHORT, 1))
    except ModuleNotFoundError as missing:
        if missing.name not in PEERS:
            raise
        pytest.skip(f"no {missing.name}")
    assert rows
    assert len({(row.case, row.peer) for row in rows}) == len(rows)
    for row in rows:
        assert (row.group, row.network) == (name, "tiny")
        assert row.ratio is not None
        assert 0 < row.low <= row.ratio <= row.high
        assert row.note
        json.dumps(asdict(row))


def test_pixel_flipping_by_quantus_takes_three_times_the_rows() -> None:
    pytest.importorskip("quantus")
    rows = list(group("pixel_flipping").rows("tiny", SHORT, 1))
    assert f"{1 + SHORT.steps} against {3 * SHORT.steps} rows an image" in rows[0].note


def test_a_smoke_run_shows_rows_and_writes_nothing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command.results, "add", lambda rows: pytest.fail("a smoke run keeps nothing"))
    monkeypatch.setattr(command, "keep_freed_memory", lambda: None)
    command.main(["tolerance", "--networks", "tiny", "--smoke"])
    assert "goal ≤ 0.5" in capsys.readouterr().out


def test_an_unknown_group_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["gradients"])
    assert "expected groups among memory, integrated_gradients" in capsys.readouterr().err
