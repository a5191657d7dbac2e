"""The parts of many units become one part, a pack, so that a run of many units stays a run of few files.

The pack is written before the parts are deleted. A process that is killed between the two leaves units in both places; readers
then use the pack, and `compact` deletes what is left over.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from heatproof.store import parts as part_files
from heatproof.store import queries
from heatproof.store.atomic import check_links, write_atomically, writing
from heatproof.store.run import Run

if TYPE_CHECKING:
    import pyarrow as pa

MOST = 4_000
"""The largest number of units of a pack, whose content is in memory before it is written."""


@dataclass(frozen=True)
class Packed:
    """What compacting changed.

    Attributes:
        units: the units that were moved into packs.
        before: the number of files of parts before.
        after: the number of files of parts after.
    """

    units: int
    before: int
    after: int


def compact(run: Run) -> Packed:
    """Move the finished units of a run into packs of at most 4,000 units. Records stay the same.

    Raises:
        DataError: a part cannot be used.

    >>> import tempfile
    >>> from heatproof.store import Run
    >>> from heatproof.store.packs import compact
    >>> run = Run.create(tempfile.mkdtemp())
    >>> for unit in ("u1", "u2", "u3"):
    ...     run.write_part(unit, [])
    >>> compact(run)
    Packed(units=3, before=3, after=1)
    >>> sorted(run.done())
    ['u1', 'u2', 'u3']
    """
    check_links(run.path)
    before = run.parts()
    packed = {unit for part in before if part_files.is_pack(part) for unit in part_files.stated_units(part)}
    alone = [part for part in before if not part_files.is_pack(part)]
    moved = [part for part in alone if part.stem not in packed]
    for start in range(0, len(moved), MOST) if len(moved) > 1 else ():
        few = moved[start : start + MOST]
        units = [part.stem for part in few]
        key = hashlib.sha256("\n".join(units).encode()).hexdigest()[:16]
        write_atomically(run.path / "parts" / f"pack-{key}.parquet", part_files.encode_tables(units, _records(few)))
        _delete(few)
    _delete([part for part in alone if part.stem in packed])
    return Packed(len(moved) if len(moved) > 1 else 0, len(before), len(run.parts()))


def _delete(parts: list[Path]) -> None:
    for part in parts:
        with writing(part):
            part.unlink()


def _records(parts: list[Path]) -> "Iterator[pa.Table]":
    """The records of parts, in the present schema, a few parts at a time."""
    schema = part_files.arrow_schema()
    for start in range(0, len(parts), part_files.AT_ONCE):
        records = queries.query(parts[start : start + part_files.AT_ONCE], "SELECT * FROM records ORDER BY unit")
        yield records.select(schema.names).cast(schema)
