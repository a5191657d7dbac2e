"""The records of a run as one file for other tools."""

import os
from pathlib import Path

from heatproof.core.errors import UsageError
from heatproof.store import queries
from heatproof.store.atomic import check_folder, writing
from heatproof.store.run import RECORD_ORDER, Run


def write(run: Run, sql: str, path: Path) -> int:
    """Write the result of an SQL statement, as in `Run.query`, to a `.csv` or `.parquet` file, in place of an earlier one.

    It is written row by row, so that it need not fit in memory, and as a whole or not at all.

    Returns:
        The number of rows.

    Raises:
        DataError: a part is damaged or has a newer schema; the message names the part.
        StorageError: the file system refuses.
    """
    import duckdb

    parts, units = run.current_parts()
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            rows = queries.write(parts, sql, temporary, path.suffix, units)
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
        except duckdb.IOException as error:
            raise OSError(str(error).splitlines()[0]) from error
        finally:
            temporary.unlink(missing_ok=True)
    return rows


def export(run: Run, path: Path) -> int:
    """Write all records of a run to a `.csv` or `.parquet` file, and return their number.

    In a CSV file the points of a curve are separated by spaces.

    Raises:
        UsageError: the file has another ending, exists already, or its folder cannot be written.
        DataError: a part of the run cannot be used.
        StorageError: the file system refuses.
    """
    if path.suffix not in queries.FORMATS:
        raise UsageError(f"{path}: expected a file that ends in .csv or .parquet, got {path.suffix or 'no ending'}")
    if path.exists():
        raise UsageError(f"{path}: expected a file that does not exist yet; choose another name or delete it")
    check_folder(path.parent)
    columns = "* REPLACE (array_to_string(curve, ' ') AS curve)" if path.suffix == ".csv" else "*"
    return write(run, f"SELECT {columns} FROM records ORDER BY {RECORD_ORDER}", path)
