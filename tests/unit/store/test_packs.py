import pytest

from heatproof.core.errors import DataError
from heatproof.core.records import Failure
from heatproof.store import packs
from heatproof.store import parts as part_files
from heatproof.store.packs import Packed, compact
from tests.unit.store.made import made, record

UNITS = ("u1", "u2", "u3", "u4", "u5")


@pytest.fixture
def run(tmp_path):
    return made(tmp_path / "run", UNITS)


def test_packing_changes_no_record_and_leaves_one_file(run):
    before = run.records()
    assert compact(run) == Packed(units=5, before=5, after=1)
    assert run.records().equals(before)
    assert run.done() == set(UNITS)
    assert run.faults() == []


def test_packs_have_a_largest_size_and_are_not_packed_again(run, monkeypatch):
    monkeypatch.setattr(packs, "MOST", 2)
    assert compact(run).after == 3
    assert compact(run) == Packed(units=0, before=3, after=3)


def test_units_that_are_computed_later_stand_beside_a_pack_and_are_packed_in_turn(tmp_path):
    run = made(tmp_path / "run", UNITS, finished=UNITS[:2])
    compact(run)
    for unit in UNITS[2:]:
        run.write_part(unit, [record(unit=unit)])
    assert run.records().num_rows == 5
    assert compact(run) == Packed(units=3, before=4, after=2)
    assert run.records().num_rows == 5


def test_a_kill_between_the_pack_and_the_deletion_counts_no_record_twice(run, monkeypatch):
    before = run.records()
    parts = {part.name: part.read_bytes() for part in run.parts()}
    compact(run)
    for name, content in parts.items():
        (run.path / "parts" / name).write_bytes(content)
    assert run.records().equals(before)
    assert run.done() == set(UNITS)
    assert compact(run) == Packed(units=0, before=6, after=1)


def test_units_of_other_settings_in_a_pack_are_left_out(run):
    compact(run)
    (entry,) = run.manifest().units
    run.write_manifest(run.manifest().model_copy(update={"units": (entry.model_copy(update={"keys": "u1 u2"}),)}))
    assert sorted(run.records().column("unit").to_pylist()) == ["u1", "u2"]


def test_a_damaged_part_is_not_packed(run):
    run.parts()[0].write_bytes(b"torn")
    with pytest.raises(DataError, match=r"u1\.parquet"):
        compact(run)
    assert len(run.parts()) == 5


def test_a_damaged_pack_is_set_aside_and_its_units_are_not_done(run):
    compact(run)
    run.parts()[0].write_bytes(run.parts()[0].read_bytes()[:-9])
    assert run.done() == set()
    assert len(run.set_aside()) == 1
    assert run.records().num_rows == 0


def test_a_failure_of_a_packed_unit_does_not_count(run):
    compact(run)
    run.write_failure("u1", Failure(unit="u1", what="a unit", reason="too slow"))
    assert run.failures() == []


def test_parts_are_packed_and_checked_a_few_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(part_files, "AT_ONCE", 2)
    run = made(tmp_path / "run", UNITS)
    records = run.records()
    torn = [run.parts()[0], run.parts()[-1]]
    whole = [part.read_bytes() for part in torn]
    for part in torn:
        part.write_bytes(b"torn")
    assert [fault.what for fault in run.faults()] == [str(part) for part in torn]
    for part, content in zip(torn, whole, strict=True):
        part.write_bytes(content)
    assert compact(run).after == 1
    assert run.records().equals(records)
