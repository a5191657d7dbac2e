"""SQL statements over the records of parts, and whether all of these can be read.

DuckDB reads the files; a statement sees the records of all of them as the view `records`, whatever version wrote them.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from heatproof.core.errors import DataError
from heatproof.store.parts import AT_ONCE, arrow_schema, check, fault_of, inspect, is_pack, names

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

SORTED_IN = 150
"""The megabytes in which records are sorted for a file; what exceeds them goes to a temporary folder."""
SORTED_AT_ONCE = 4_000_000
"""The bytes of parts, about 100,000 records, up to which they are sorted in the memory that it takes."""
MOST_DOUBLINGS = 4
"""How often sorting begins with twice the megabytes, where many files need more, before it may take what there is."""

FORMATS = {".csv": "FORMAT csv, HEADER true, QUOTE '\"', ESCAPE '\"'", ".parquet": "FORMAT parquet, COMPRESSION zstd"}
"""How a table is written to a file with each ending."""
_REMEDY = "Delete it and start the run again, which computes its units anew."  # it may have a seal that says that it is whole


def query(
    parts: Sequence[Path], sql: str, units: Collection[str] | None = None, tables: "Mapping[str, pa.Table] | None" = None
) -> "pa.Table":
    """The result of an SQL statement over the view `records` of all parts.

    Args:
        parts: the files.
        sql: the statement.
        units: the units whose records the view holds; None for all.
        tables: further tables that the statement names.

    Raises:
        DataError: a part is damaged or has a newer schema.
        duckdb.Error: the statement is invalid.
    """
    with _records(parts, units, _database()) as connection:
        for name, table in (tables or {}).items():
            connection.register(name, table)
        return connection.sql(sql).to_arrow_table()


def write(parts: Sequence[Path], sql: str, path: Path, ending: str, units: Collection[str] | None = None) -> int:
    """Write the result of an SQL statement over the view `records` to a file, row by row, so that it need not fit in memory.

    Returns:
        The number of rows.

    Raises:
        DataError: a part is damaged or has a newer schema.
        duckdb.Error: the statement is invalid, or the file cannot be written.
    """
    copy = f"COPY ({sql}) TO '{_quoted(path)}' ({FORMATS[ending]})"

    def copied(database: "duckdb.DuckDBPyConnection") -> int:
        with _records(parts, units, database) as connection:
            return int(connection.execute(copy).fetchall()[0][0])

    if sum(part.stat().st_size for part in parts if part.exists()) <= SORTED_AT_ONCE:
        return copied(_database())
    for doublings in range(MOST_DOUBLINGS):
        with (
            suppress(_out_of_memory()),
            TemporaryDirectory() as spilled,  # a database has one such folder as long as it exists
            _opened(memory_limit=f"{SORTED_IN << doublings}MB", temp_directory=spilled) as database,
        ):
            return copied(database)
    return copied(_database())


def _out_of_memory() -> type[Exception]:
    import duckdb

    return duckdb.OutOfMemoryException


def faults(folder: Path) -> Iterator[tuple[Path, str]]:
    """The parts in a folder that cannot be used, and why.

    Raises:
        DataError: a newer version of heatproof wrote a part.
    """
    found = (folder / name for name in names(folder))
    while parts := list(islice(found, AT_ONCE)):
        states = {part: inspect(part) for part in parts}
        reasons = {part: fault_of(state) for part, state in states.items()}
        reasons |= _unreadable([part for part, reason in reasons.items() if not reason and not states[part].sealed])
        yield from ((part, reason) for part, reason in reasons.items() if reason)


def _unreadable(parts: Sequence[Path]) -> dict[Path, str]:
    """The parts whose records cannot be read though their checksum is right or they state none, and why: the end of a file, which
    says where its records are, is in no checksum. All are read at once, and one by one only if that fails.
    """
    if not parts:
        return {}
    import duckdb

    with _database().cursor() as connection:

        def fault(some: Sequence[Path]) -> str:
            try:
                connection.execute(
                    "SELECT bit_xor(hash(COLUMNS(*))) FROM read_parquet(?, union_by_name = true)", [[str(part) for part in some]]
                ).fetchall()
            except (duckdb.Error, UnicodeDecodeError) as error:
                return f"records that cannot be read ({str(error).splitlines()[0]:.120})"
            return ""

        if not fault(parts):
            return {}
        return {part: reason for part in parts if (reason := fault([part]))}


@contextmanager
def _records(
    parts: Sequence[Path], units: Collection[str] | None, database: "duckdb.DuckDBPyConnection"
) -> "Iterator[duckdb.DuckDBPyConnection]":
    """A connection with the view `records`."""
    import duckdb
    import pyarrow as pa

    alike = check(parts)
    with database.cursor() as connection:  # closing it forgets what the statement may have made
        connection.begin()
        connection.register("no_records", pa.Table.from_pylist([], schema=arrow_schema()))
        every_column = "SELECT * FROM no_records"
        if parts:
            files = ", ".join(f"'{_quoted(part)}'" for part in parts)
            # Where all parts have the same columns, the first one tells them; else each statement would open every file twice.
            every_column += f" UNION ALL BY NAME SELECT * FROM read_parquet([{files}], union_by_name = {not alike})"
        if units is not None and any(map(is_pack, parts)):
            connection.register("current_units", pa.table({"unit": sorted(units)}))
            every_column = f"SELECT * FROM ({every_column}) WHERE unit IN (SELECT unit FROM current_units)"
        try:
            connection.execute(f"CREATE TEMP VIEW records AS {every_column}")
            yield connection
        except duckdb.OutOfMemoryException:  # which says nothing of the files
            raise
        except duckdb.Error:
            for part, fault in _unreadable(parts).items():
                raise DataError(f"{part}: expected a whole part of this run, got {fault}. {_REMEDY}") from None
            raise
        finally:
            database.execute("RESET memory_limit")  # this returns what the allocator keeps, 200 MB after a million records


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


@cache
def _database() -> "duckdb.DuckDBPyConnection":
    """A database in memory, which holds nothing: opening one takes much longer than most queries."""
    return _opened()


def _opened(**settings: Any) -> "duckdb.DuckDBPyConnection":
    """A database in memory that caches no file, since what is read must be what was checked.

    It has one thread: several would add numbers up in an order of their own, so that sums differed in their last bits from call to
    call, and each would sort in memory of its own.
    """
    import duckdb

    database = duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false", "threads": 1, **settings})
    for setting in ("enable_external_file_cache = false", "allocator_flush_threshold = '8MB'"):
        with suppress(duckdb.Error):  # a version that has no such setting
            database.execute(f"SET {setting}")
    return database
