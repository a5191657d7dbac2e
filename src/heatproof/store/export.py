"""The records of a run as one file for other tools."""

import io
from pathlib import Path

from heatproof.core.errors import UsageError
from heatproof.store.atomic import check_folder, write_atomically
from heatproof.store.run import Run

KINDS = ("csv", "parquet")


def export(run: Run, path: Path) -> int:
    """Write all records of a run to a `.csv` or `.parquet` file, and return their number.

    In a CSV file the points of a curve are separated by spaces.

    Raises:
        UsageError: the file has another ending, exists already, or its folder cannot be written.
        DataError: a part of the run cannot be used.
    """
    if path.suffix[1:] not in KINDS:
        raise UsageError(f"{path}: expected a file that ends in .csv or .parquet, got {path.suffix or 'no ending'}")
    if path.exists():
        raise UsageError(f"{path}: expected a file that does not exist yet; choose another name or delete it")
    check_folder(path.parent)
    content = io.BytesIO()
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        records = run.records()
        pq.write_table(records, content, compression="zstd")
    else:
        from pyarrow import csv

        records = run.query(
            "SELECT * REPLACE (array_to_string(curve, ' ') AS curve) FROM records "
            "ORDER BY model, method, metric, metric_settings, component, image, seed, unit"
        )
        csv.write_csv(records, content)
    write_atomically(path, content.getvalue())
    return int(records.num_rows)
