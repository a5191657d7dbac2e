"""A sealed part is verified without being parsed, and no byte of it can be altered without being seen."""

import pyarrow.parquet as pq
import pytest

from heatproof.core.errors import DataError
from heatproof.core.records import SCHEMA_VERSION
from heatproof.store import Run, parts, queries
from heatproof.store.seals import MAGIC, seal_of, sealed
from tests.unit.store.made import record


@pytest.fixture
def part(tmp_path):
    run = Run.create(tmp_path)
    run.write_part("u1", [record(unit="u1", value=0.25)])
    return run.part_path("u1")


def refuse(*arguments, **options):
    raise AssertionError("parsed")


def test_a_part_that_is_whole_is_not_parsed(part, monkeypatch):
    found = Run(part.parent.parent).records()
    monkeypatch.setattr(pq, "read_metadata", refuse)
    monkeypatch.setattr(queries, "_database", refuse)
    assert Run(part.parent.parent).faults() == []
    assert found["value"].to_pylist() == [0.25]
    state = parts.inspect(part)
    assert (state.units, state.columns) == (("u1",), tuple(found.column_names))


def test_no_byte_can_be_altered_without_a_fault_or_a_full_check(part):
    content, unsealed = part.read_bytes(), set()
    at = content.rindex(MAGIC)
    for place in {*range(0, len(content), 9), *range(at - 12, at + 12), *range(len(content) - 8, len(content))}:
        part.write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
        state = parts.inspect(part)
        assert not state.sealed
        unsealed |= set() if state.fault else {place}
    assert unsealed == {*range(at, at + len(MAGIC))}  # without its mark it is no seal, and the records are read
    part.write_bytes(content.replace(MAGIC, b"none"))
    assert Run(part.parent.parent).faults() == []


def test_the_part_of_another_unit_and_of_a_newer_schema_are_told_by_their_seals(part):
    part.rename(part.with_name("u2.parquet"))
    (fault,) = Run(part.parent.parent).faults()
    assert "records of another unit, u1" in fault.reason
    content = part.with_name("u2.parquet").read_bytes()
    at = content.rindex(MAGIC) - 6 - len(f"{SCHEMA_VERSION} u1")
    newer = content[:at] + content[content.rindex(MAGIC) + len(MAGIC) :]
    assert seal_of(newer) is None
    part.write_bytes(sealed(newer, "99 u1"))
    assert (parts.inspect(part).units, parts.inspect(part).sealed) == (("u1",), False)


def test_a_part_that_was_sealed_though_it_cannot_be_read_is_named_with_a_remedy_that_works(part):
    part.write_bytes(sealed(b"PAR1" + b"x" * 99 + (6).to_bytes(4, "little") + b"PAR1", f"{SCHEMA_VERSION} u1"))
    with pytest.raises(DataError, match=r"u1\.parquet: expected a whole part.*Delete it and start the run again"):
        Run(part.parent.parent).records()


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"\xff" * 4 + b"PAR1", b"PAR1" + MAGIC + b"\0" * 4 + b"PAR1"])
def test_what_is_no_part_has_no_seal(content):
    assert seal_of(content) is None
