import pytest
from typer.testing import CliRunner

from heatproof.cli import console
from heatproof.cli.main import app
from tests.unit.store.made import made


def output(*arguments, code=0):
    result = CliRunner().invoke(app, ["runs", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def narrow(monkeypatch):
    monkeypatch.setattr(console.out, "_width", 60)


@pytest.mark.usefixtures("narrow")
def test_runs_are_listed_and_one_that_cannot_be_read_is_named(tmp_path):
    made(tmp_path / "one", ("u1", "u2"), finished=("u1",))
    (made(tmp_path / "two", ("u1",)).path / "run.json").write_text("[]")
    listed = output("list", tmp_path)
    assert "1 of 2" in listed
    assert "cannot be read" in listed
    assert max(map(len, listed.splitlines())) <= 60


@pytest.mark.usefixtures("narrow")
def test_status_says_how_far_a_run_is(tmp_path):
    shown = output("status", made(tmp_path / "one", ("u1", "u2"), finished=("u1",)).path)
    assert "1 of 2 done, 0 failed" in shown
    assert "finished" in shown


def test_verify_names_what_is_damaged_and_sets_it_aside_on_request(tmp_path):
    run = made(tmp_path / "one", ("u1", "u2"))
    assert "2 parts, all whole" in output("verify", run.path)
    run.parts()[0].write_bytes(b"torn")
    assert "u1.parquet: 4 bytes" in output("verify", run.path, code=1)
    assert "moved to set_aside" in output("verify", run.path, "--set-aside", code=1)
    assert "1 part, all whole" in output("verify", run.path)
    assert "1 file set aside" in output("status", run.path)


def test_runs_are_packed_united_and_exported(tmp_path):
    one, two = made(tmp_path / "one", ("u1", "u2")), made(tmp_path / "two", ("u3",))
    assert "2 files became 1 file" in output("compact", one.path)
    output("merge", one.path, two.path, "--out", tmp_path / "both")
    assert "3 records" in output("export", tmp_path / "both", tmp_path / "both.csv")
