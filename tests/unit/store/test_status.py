import math
import os

import pytest

from heatproof.core.errors import DataError, UsageError
from heatproof.core.records import Failure
from heatproof.store.export import export
from heatproof.store.status import runs_in, status
from tests.unit.store.made import made


def test_the_rate_is_that_of_the_last_units(tmp_path):
    run = made(tmp_path / "run", ("u1", "u2", "u3", "u4", "u5"), finished=("u1", "u2", "u3"))
    run.write_failure("u4", Failure(unit="u4", what="a unit", reason="too slow"))
    for second, part in enumerate(run.parts()):
        os.utime(part, (1_000_000 + 10 * second,) * 2)
    found = status(run)
    assert (found.done, found.total, found.failed) == (3, 5, 1)
    assert found.rate == pytest.approx(0.1)
    assert found.left == pytest.approx(20)
    assert found.quiet > 1e6


def test_a_run_that_has_just_begun_has_no_rate(tmp_path):
    found = status(made(tmp_path / "run", ("u1",), finished=()))
    assert math.isnan(found.rate)
    assert math.isnan(found.quiet)
    assert math.isnan(found.left)


def test_runs_are_found_in_folders_of_folders(tmp_path):
    made(tmp_path / "one", ("u1",))
    made(tmp_path / "two" / "inner", ("u1",))
    assert [run.path.name for run in runs_in(tmp_path)] == ["one", "inner"]


def test_exported_files_hold_every_record(tmp_path):
    import pyarrow.parquet as pq
    from pyarrow import csv

    run = made(tmp_path / "run", ("u1", "u2"))
    assert export(run, tmp_path / "out" / "run.parquet") == 2
    assert pq.read_table(tmp_path / "out" / "run.parquet").equals(run.records())
    assert export(run, tmp_path / "run.csv") == 2
    table = csv.read_csv(tmp_path / "run.csv")
    assert table["value"].to_pylist() == [1.0, 2.0]
    assert table["curve"].to_pylist() == ["1.0 0.5", "1.0 0.5"]


def test_an_export_never_overwrites_and_knows_two_endings(tmp_path):
    run = made(tmp_path / "run", ("u1",))
    (tmp_path / "a.csv").write_text("mine")
    with pytest.raises(UsageError, match="does not exist yet"):
        export(run, tmp_path / "a.csv")
    with pytest.raises(UsageError, match=r"\.csv or \.parquet"):
        export(run, tmp_path / "a.xls")
    run.parts()[0].write_bytes(b"torn")
    with pytest.raises(DataError, match="u1"):
        export(run, tmp_path / "b.csv")
    assert not (tmp_path / "b.csv").exists()
