"""The records of one or more units are stored as one Parquet file, called a part, with one column for each field of `Record`.

Later schemas only add columns. The metadata of a part state its schema (`heatproof_schema`), the units whose records it holds
(`heatproof_units`) and a checksum of everything before its footer (`heatproof_checksum`), so that a part that is torn, altered or
renamed is recognised by itself. The part of one unit has a seal besides (`seals.py`) with its schema and its unit; where the seal
is right, nothing need be parsed. A part of an older schema is read with NULL in the columns that it lacks, and a part of a newer
schema is refused. Parts of earlier versions state neither units nor a checksum; their column `unit` is read instead.
"""

import io
import json
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import MISSING, dataclass, fields
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

import numpy as np

from heatproof.core.errors import DataError
from heatproof.core.records import SCHEMA_VERSION, Record
from heatproof.store.seals import seal_of, sealed

if TYPE_CHECKING:
    import pyarrow as pa

VERSION_KEY, UNITS_KEY, CHECKSUM_KEY = b"heatproof_schema", b"heatproof_units", b"heatproof_checksum"
AT_ONCE = 200
"""The number of parts that are read together, where all must be: each takes memory, whatever it holds."""
_MAGIC = b"PAR1"
_ALTERED = "bytes that do not have the checksum that they were written with"
_REMEDY = "Start the run again: it sets the file aside and computes its units anew."


@dataclass(frozen=True)
class PartState:
    """What a part says of itself.

    Attributes:
        path: its file.
        units: the units whose records it holds; empty if it is faulty.
        fault: why its records cannot be used; empty if they can.
        schema: the version of its records.
        columns: the names of the columns of its records, in order; empty if it is faulty.
        sealed: whether its seal says that it is what was written, to the last bit.
    """

    path: Path
    units: tuple[str, ...] = ()
    fault: str = ""
    schema: int = SCHEMA_VERSION
    columns: tuple[str, ...] = ()
    sealed: bool = False


@cache
def arrow_schema() -> "pa.Schema":
    """The Arrow schema of `Record`: str becomes string, int int64, float float64, and list[float] a list of float64."""
    import pyarrow as pa

    types = {str: pa.string(), int: pa.int64(), float: pa.float64(), list[float]: pa.list_(pa.float64())}
    columns = [pa.field(name, types[kind]) for name, kind in get_type_hints(Record).items()]
    return pa.schema(columns, metadata={VERSION_KEY: str(SCHEMA_VERSION).encode()})


def encode(units: Sequence[str], records: Iterable[Record]) -> bytes:
    """The content of a part with the records of units, in their given order, compressed by zstd."""
    import pyarrow as pa

    return encode_tables(units, [pa.Table.from_pylist([record.to_dict() for record in records], schema=arrow_schema())])


def encode_tables(units: Sequence[str], tables: Iterable["pa.Table"]) -> bytes:
    """The content of a part with tables of records, of which one is in memory at a time."""
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    with pq.ParquetWriter(sink, arrow_schema(), compression="zstd") as writer:
        for table in tables:
            writer.write_table(table)
        written = sink.getvalue()
        checksum = f"{len(written)} {zlib.crc32(written)}"
        writer.add_key_value_metadata({UNITS_KEY.decode(): json.dumps(list(units)), CHECKSUM_KEY.decode(): checksum})
    return sealed(sink.getvalue(), f"{SCHEMA_VERSION} {units[0]}") if len(units) == 1 else sink.getvalue()


def inspect(part: Path) -> PartState:
    """What a part says of itself, after its checksum, its columns and its units have been checked."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not part.is_file():
        return PartState(part, fault="no regular file" if part.exists() else "a link to nothing")
    content = part.read_bytes()
    if len(content) < 12 or content[:4] != _MAGIC or content[-4:] != _MAGIC:
        return PartState(part, fault=f"{len(content)} bytes that do not begin and end with PAR1")
    if seal := seal_of(content):
        schema, _, unit = seal.partition(" ")
        if schema == str(SCHEMA_VERSION):
            return PartState(part, (unit,), columns=tuple(arrow_schema().names), sealed=True)
    if seal == "":
        return PartState(part, fault=_ALTERED)
    try:
        footer = pq.read_metadata(io.BytesIO(content))
        columns = footer.schema.to_arrow_schema()
        metadata: dict[bytes, Any] = {**(columns.metadata or {}), **(footer.metadata or {})}
        version = metadata.get(VERSION_KEY, str(SCHEMA_VERSION).encode())
        if not version.isdigit():
            return PartState(part, fault=f"the schema {version!r:.40}, which is no number")
        if int(version) > SCHEMA_VERSION:
            return PartState(part, schema=int(version))
        fault = _checksum_fault(content, metadata) or _column_fault(columns)
        return PartState(part, fault=fault) if fault else PartState(part, _units(content, metadata), columns=tuple(columns.names))
    except (pa.ArrowException, OSError, ValueError) as error:
        return PartState(part, fault=f"content that cannot be read ({str(error).splitlines()[0]:.120})")


def names(folder: Path) -> Iterator[str]:
    """The names of the parts in a folder, in any order; a folder may hold a hundred thousand."""
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        yield from (entry.name for entry in entries if entry.name.endswith(".parquet") and not entry.name.startswith("."))


def units_in(folder: Path) -> Iterator[str]:
    """The units that the parts in a folder hold; a unit that two parts hold comes twice."""
    for name in names(folder):
        yield from stated_units(folder / name)


def which_held(folder: Path, keys: "Iterable[np.ndarray[Any, Any]]") -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """For each key of arrays of bytes, one after another, whether the parts in a folder hold the unit."""
    held, found = np.zeros(0, "S"), [np.zeros(0, np.bool_)]
    for some in keys:
        if held.itemsize <= some.itemsize:  # a name that is longer than a key is cut off, and equals none
            held = np.fromiter(chain(map(os.fsencode, units_in(folder)), [b""]), f"S{some.itemsize + 1}")
            held.sort()
        at = np.searchsorted(held, some, side="right") - 1
        found.append(held[at] == some)
    return np.concatenate(found)


def stated_units(part: Path) -> tuple[str, ...]:
    """The units that a part holds: by its name, or by the metadata of a pack. A pack that cannot be read holds none."""
    if not is_pack(part):
        return (part.stem,)
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return tuple(json.loads((pq.read_metadata(part).metadata or {}).get(UNITS_KEY, b"[]")))
    except (pa.ArrowException, OSError, ValueError):
        return ()


def check(parts: Sequence[Path]) -> bool:
    """Check that all parts are whole and hold the units that their names say, and that none has a newer schema.

    Returns:
        Whether all have the same columns in the same order.

    Raises:
        DataError: a part is damaged, belongs elsewhere or has a newer schema; the message names the part and the remedy.
    """
    found = set()
    for part in parts:
        seen = _seen(part)
        known, columns = _whole.get(part, (None, ()))
        if seen is None or known != seen:
            state = inspect(part)
            if fault := fault_of(state):
                raise DataError(f"{part}: expected a whole part of this run, got {fault}. {_REMEDY}")
            columns = _columns.setdefault(state.columns, state.columns)
            if seen is not None:
                _whole[part] = seen, columns
        found.add(columns)
    return len(found) <= 1


_whole: dict[Path, tuple[tuple[int, int, int], tuple[str, ...]]] = {}
"""The parts that this process has found whole, each with what tells that its file is still the same one, and its columns."""
_columns: dict[tuple[str, ...], tuple[str, ...]] = {}
"""The columns of these parts, so that parts with the same ones share them."""


def _seen(part: Path) -> tuple[int, int, int] | None:
    try:
        found = part.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def fault_of(state: PartState) -> str:
    """Why a part cannot be used under the name that it has; empty if it can.

    Raises:
        DataError: a newer version of heatproof wrote the part.
    """
    if state.schema > SCHEMA_VERSION:
        raise DataError(
            f"{state.path}: expected schema {SCHEMA_VERSION} or older, got {state.schema}. "
            "A newer heatproof wrote this part: upgrade heatproof to read the run."
        )
    if state.fault or is_pack(state.path):
        return state.fault
    others = sorted(map(str, set(state.units) - {state.path.stem}))
    return f"records of another unit, {others[0]:.40}" if others else ""


def is_pack(part: Path | str) -> bool:
    """Whether a part, by its path or its name, holds several units, which its name does not say."""
    return os.path.basename(part).startswith("pack-")


def _checksum_fault(content: bytes, metadata: dict[bytes, Any]) -> str:
    stated = metadata.get(CHECKSUM_KEY)
    if stated is None:
        return ""
    size, checksum = map(int, stated.split())
    return "" if zlib.crc32(content[:size]) == checksum else _ALTERED


def _column_fault(schema: "pa.Schema") -> str:
    """Whether the columns are those of records, of the present schema or an older one."""
    known = arrow_schema()
    if schema.equals(known):
        return ""
    strange = [name for name in schema.names if name not in known.names]
    if strange:
        return f"the column {strange[0]!r:.40}, which no record has"
    missing = [each.name for each in fields(Record) if each.default is MISSING and each.default_factory is MISSING]
    missing = [name for name in missing if name not in schema.names]
    if missing:
        return f"records without {missing[0]}"
    wrong = [name for name in schema.names if schema.field(name).type != known.field(name).type]
    return f"a column {wrong[0]} of {schema.field(wrong[0]).type}" if wrong else ""


def _units(content: bytes, metadata: dict[bytes, Any]) -> tuple[str, ...]:
    import pyarrow.parquet as pq

    if UNITS_KEY in metadata:
        return tuple(json.loads(metadata[UNITS_KEY]))
    rows = pq.ParquetFile(io.BytesIO(content)).read(columns=["unit"], use_threads=False)
    return tuple(dict.fromkeys(rows.column(0).to_pylist()))
