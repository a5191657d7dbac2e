"""The records of each unit are stored as one Parquet file, called a part, with one column for each field of `Record`.

Later schemas only add columns. The metadata of a part state its schema (`heatproof_schema`). A part of an older schema is read with
NULL in the columns that it lacks, and a part of a newer schema is refused.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from heatproof.core.errors import DataError
from heatproof.core.records import SCHEMA_VERSION, Record

if TYPE_CHECKING:
    import pyarrow as pa

VERSION_KEY = b"heatproof_schema"
_MAGIC = b"PAR1"


def arrow_schema() -> "pa.Schema":
    """The Arrow schema of `Record`: str becomes string, int int64, float float64, and list[float] a list of float64."""
    import pyarrow as pa

    types = {str: pa.string(), int: pa.int64(), float: pa.float64(), list[float]: pa.list_(pa.float64())}
    fields = [pa.field(name, types[kind]) for name, kind in get_type_hints(Record).items()]
    return pa.schema(fields, metadata={VERSION_KEY: str(SCHEMA_VERSION).encode()})


def encode(records: Iterable[Record]) -> bytes:
    """The content of a Parquet file with the records in their given order, compressed by zstd."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist([record.to_dict() for record in records], schema=arrow_schema())
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue().to_pybytes())


def check(parts: Sequence[Path]) -> None:
    """Check that all parts are complete and that none has a newer schema.

    Raises:
        DataError: a part is damaged or has a newer schema; the message names the part and the remedy.
    """
    for part in parts:
        _check_whole(part)
    for part, version in _versions(parts):
        if version > SCHEMA_VERSION:
            raise DataError(
                f"{part}: expected schema {SCHEMA_VERSION} or older, got {version}. "
                "A newer heatproof wrote this part: upgrade heatproof to read the run."
            )


def query(parts: Sequence[Path], sql: str) -> "pa.Table":
    """The result of an SQL statement over the view `records` of all parts.

    Raises:
        DataError: a part is damaged or has a newer schema.
        duckdb.Error: the statement is invalid.
    """
    import duckdb
    import pyarrow as pa

    check(parts)
    with duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false"}) as connection:
        connection.register("no_records", pa.Table.from_pylist([], schema=arrow_schema()))
        every_column = "SELECT * FROM no_records"
        if parts:
            files = ", ".join("'" + str(part).replace("'", "''") + "'" for part in parts)
            every_column += f" UNION ALL BY NAME SELECT * FROM read_parquet([{files}], union_by_name = true)"
        connection.execute(f"CREATE VIEW records AS {every_column}")
        return connection.sql(sql).to_arrow_table()


def _check_whole(part: Path) -> None:
    with part.open("rb") as file:
        head = file.read(4)
        size = file.seek(0, 2)
        file.seek(max(0, size - 4))
        tail = file.read(4)
    if size < 12 or head != _MAGIC or tail != _MAGIC:
        raise DataError(_damaged(part, f"{size} bytes that do not begin and end with PAR1"))


def _versions(parts: Sequence[Path]) -> Iterable[tuple[Path, int]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for part in parts:
        try:
            metadata: dict[bytes, Any] = pq.read_schema(part).metadata or {}
        except (pa.ArrowException, OSError) as error:
            raise DataError(_damaged(part, f"a footer that cannot be read ({error})")) from error
        yield part, int(metadata.get(VERSION_KEY, SCHEMA_VERSION))


def _damaged(part: Path, what: str) -> str:
    return (
        f"{part}: expected a whole Parquet file, got {what}. Delete this file and resume the run: only its unit is computed again."
    )
