"""The folder of a run on disk.

    run.json                   the manifest
    experiment.toml            a copy of the experiment file
    parts/<unit>.parquet       the records of one unit; a unit is finished if and only if a part holds it
    parts/pack-<key>.parquet   the records of many units, which `compact` made of their parts
    maps/<unit>.safetensors    the signed maps of one unit, written before its part
    images/<digest>.png        the 8-bit crop of an image that the network received
    images/<digest>.json       the line drawing of a signal, in its place
    failed/<unit>.json         the reason why a unit failed
    refused/<unit>.json        the images that a unit refused
    decided/<key>.json         a choice of the process that came first, such as how many passes are computed at once
    claims/<unit>              a mark of the process that computes a unit, where several share the folder
    log/<process>.jsonl        what each process did and when, a line of JSON for each event (see `run_log.py`)
    set_aside/                 files that could not be used; their units were computed anew
    report.html, figures/, tables/

Every file is written completely or not at all. A run may therefore be killed at any moment and resumed, and may be read while it is
computed.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heatproof.core.drawing import Drawing
from heatproof.core.errors import DataError, UsageError
from heatproof.core.formatting import count
from heatproof.core.records import Failure, Record
from heatproof.store import image_files, queries
from heatproof.store import maps as map_files
from heatproof.store import parts as part_files
from heatproof.store.atomic import write_atomically, writing
from heatproof.store.json_files import read_failures, read_json
from heatproof.store.manifest import ImageEntry, Manifest, UnitsEntry
from heatproof.store.manifest_file import pieces
from heatproof.store.upgrade import read_manifest

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

REPORT, VERDICT, SUMMARY = "report.html", "tables/verdict.json", "tables/summary.csv"
"""The files of a report that `Run` reads."""
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
RECORD_ORDER = "model, method, metric, metric_settings, component, image, seed, unit"


class Run:
    """A run on disk: its scores, maps, report and verdict. Nothing is cached.

    Args:
        path: the folder of the run.

    Raises:
        DataError: there is no run in that folder.

    >>> from heatproof.store import Run
    >>> Run("/nosuch")
    Traceback (most recent call last):
    heatproof.core.errors.DataError: /nosuch: expected the folder of a run, found no such folder; give the folder that a run was \
written to, such as runs/demo
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if not self.exists and not (self.path / "parts").is_dir():
            found = "a folder without run.json" if self.path.is_dir() else "no such folder"
            raise DataError(
                f"{self.path}: expected the folder of a run, found {found}; give the folder that a run was written to, such as "
                "runs/demo"
            )

    @classmethod
    def create(cls, path: Path | str) -> "Run":
        """The run in a folder that may not exist yet. Nothing is created before the first write."""
        run = cls.__new__(cls)
        run.path = Path(path)
        return run

    def __repr__(self) -> str:
        """A few lines: the folder, what was run, the verdict and where the report is."""
        if not self.exists:
            return f"Run({str(self.path)!r}), without a manifest"
        manifest, failed = self.manifest(), len(self.failures())
        done = self.which_done(entry.key_array for entry in manifest.units)
        parts = [(manifest.models, "network"), (manifest.methods, "method"), (manifest.metrics, "metric")]
        counted = ", ".join([*(count(len(entries), noun) for entries, noun in parts), count(len(manifest.images), "image")])
        lines = [f"Run({str(self.path)!r}): {counted}; {done.sum():,} of {count(len(done), 'unit')} done, {failed:,} failed"]
        if (self.path / VERDICT).exists():
            lines += [self.verdict, f"report: {self.path / REPORT}"]
        return "\n".join(lines)

    # Results ──────────────────────────────────────────────────────────────────────────────────────

    @property
    def report(self) -> Path:
        """The path of the report, one page.

        Raises:
            DataError: no report has been written.
        """
        return self._written(REPORT)

    @property
    def verdict(self) -> str:
        """What the run shows, in the sentences at the top of its report; one line for each network.

        Raises:
            DataError: no report has been written.
        """
        verdicts = read_json(self._written(VERDICT))
        try:
            if not isinstance(verdicts, list) or not verdicts:
                raise TypeError
            if len(verdicts) == 1:
                return str(verdicts[0]["lead"])
            return "\n".join(f"{each['model']}, {each['output']}: {each['lead']}" for each in verdicts)
        except (TypeError, KeyError):
            got = f"expected the sentences of a report, got {verdicts!s:.80}"
            raise DataError(f"{self.path / VERDICT}: {got}; run: heatproof report {self.path}") from None

    def scores(self) -> "pa.Table":
        """Every score of every image: model, method, metric, component, image, label, target, seed, value and error.

        `component` is empty for the value of a metric itself. The table is of Arrow; `.to_pandas()` needs pandas.
        """
        return self.query(
            "SELECT model, method_label AS method, metric, metric_settings, component, image_name AS image, label, target, seed, "
            f"value, error FROM records ORDER BY {RECORD_ORDER}"
        )

    def summary(self) -> "pa.Table":
        """The statistics of every method under every metric, as the report states them: mean, interval, rank and comparisons.

        The table is of Arrow; `.to_pandas()` needs pandas.

        Raises:
            DataError: no report has been written.
        """
        from pyarrow import ArrowException, csv

        path = self._written(SUMMARY)
        try:
            return csv.read_csv(path)
        except (ArrowException, OSError) as error:
            raise DataError(f"{path}: expected the table of a report, got {error}; run: heatproof report {self.path}") from None

    # Units ────────────────────────────────────────────────────────────────────────────────────────

    def parts(self) -> list[Path]:
        """The files of all parts, in the order of their names."""
        return sorted(self.each_part())

    def each_part(self) -> Iterator[Path]:
        """The files of all parts, one after another, in any order."""
        folder = self.path / "parts"
        yield from (folder / name for name in part_files.names(folder))

    def done(self) -> set[str]:
        """The keys of the finished units, which are those that a part holds."""
        return set(part_files.units_in(self.path / "parts"))

    def which_done(self, keys: "Iterable[np.ndarray[Any, Any]]") -> "np.ndarray[Any, np.dtype[np.bool_]]":
        """For each key of arrays of bytes, one after another, whether the unit is finished."""
        return part_files.which_held(self.path / "parts", keys)

    def write_part(self, unit: str, records: Iterable[Record], maps: "Mapping[str, np.ndarray[Any, Any]] | None" = None) -> None:
        """Store the result of a unit: write its maps, then its part, and delete the record of an earlier failure.

        Args:
            unit: the key of the unit.
            records: its records; there are none if every image was refused.
            maps: its maps [c, h, w] by image digest; None stores no maps.

        Raises:
            UsageError: a record belongs to another unit, or the key is not a plain file name.
            TensorError: a map does not have three axes.
        """
        rows = list(records)
        foreign = {row.unit for row in rows} - {unit}
        if foreign:
            raise UsageError(
                f"part {unit!r}: expected records of this unit only, got some of {sorted(foreign)}. Write one part per unit."
            )
        if maps is not None:
            write_atomically(self.maps_path(unit), map_files.encode(maps))
        write_atomically(self.part_path(unit), part_files.encode([unit], rows))
        self.clear_failure(unit)

    def query(self, sql: str, tables: "Mapping[str, pa.Table] | None" = None, units: Collection[str] | None = None) -> "pa.Table":
        """The result of an SQL statement over the view `records`, as an Arrow table.

        The view holds the records of all units that run.json lists. The parts of other units come from earlier settings: they
        remain in the folder but are left out.

        Args:
            sql: the statement.
            tables: further tables that it names.
            units: the units whose parts are read, in place of all; those of one network are `manifest().units_of(model)`.

        Raises:
            DataError: a part is damaged or has a newer schema; the message names the part.
            duckdb.Error: the statement is invalid.
        """
        parts, current = self.current_parts(units)
        return queries.query(parts, sql, current, tables)

    def records(self) -> "pa.Table":
        """All records as an Arrow table with the columns of `Record`, in a fixed order."""
        return self.query(f"SELECT * FROM records ORDER BY {RECORD_ORDER}")

    def faults(self) -> list[Failure]:
        """The files of parts and maps that cannot be used: `what` is the file, `reason` says why.

        Raises:
            DataError: a part has a newer schema.
        """
        faults = sorted(queries.faults(self.path / "parts"))
        maps = (self.path / "maps").glob("[!.]*.safetensors")
        faults += sorted((path, reason) for path in maps if (reason := map_files.fault(path)))
        return [Failure(unit=path.stem, what=str(path), reason=reason) for path, reason in faults]

    def set_aside(self) -> list[Failure]:
        """Move the parts and maps that cannot be used to the folder `set_aside`, and return them; their units count as not done.

        The part of a unit whose maps cannot be used is moved with them.

        Raises:
            DataError: a part has a newer schema.
        """
        faults = self.faults()
        for fault in faults:
            path = Path(fault.what)
            moved = [path] if path.parent.name == "parts" else [path, self.part_path(path.stem)]
            for each in moved:
                if each.exists() or each.is_symlink():
                    place = self.path / "set_aside"
                    with writing(place):
                        place.mkdir(exist_ok=True)
                        each.rename(place / f"{each.stem}.{len(list(place.iterdir()))}{each.suffix}")
        return faults

    # Maps and images ──────────────────────────────────────────────────────────────────────────────

    def map(self, unit: str, digest: str) -> "np.ndarray[Any, np.dtype[np.float32]]":
        """Read the signed map of one image, float32 [c, h, w].

        Raises:
            DataError: the map was not stored, or its file is damaged.
        """
        return map_files.read(self.maps_path(unit), digest)

    def mapped(self, unit: str) -> set[str]:
        """The digests of the images of a unit whose maps are stored."""
        return {key for key in map_files.digests(self.maps_path(unit)) if "/" not in key}

    def further(self, unit: str, digest: str) -> set[str]:
        """The names of the further maps that a metric stored of an image; `map(unit, f"{digest}/{name}")` reads one."""
        keys = (key.partition("/") for key in map_files.digests(self.maps_path(unit)))
        return {name for image, _, name in keys if image == digest and name}

    def part_path(self, unit: str) -> Path:
        """The path of the part of a unit, whether or not it exists."""
        return self._file("parts", unit, "parquet")

    def failure_path(self, unit: str) -> Path:
        """The path of the record of a unit's failure, whether or not it exists."""
        return self._file("failed", unit, "json")

    def maps_path(self, unit: str) -> Path:
        """The path of the maps of a unit, whether or not they exist."""
        return self._file("maps", unit, "safetensors")

    def write_image(self, digest: str, pixels: "np.ndarray[Any, Any]") -> None:
        """Store the crop of an image that the network received, uint8 [h, w, 3] or [h, w]. A stored image is left unchanged.

        Raises:
            TensorError: the array has another type or shape.
        """
        if not self.image_path(digest).exists():
            image_files.write_crop(self.image_path(digest), pixels)

    def write_drawing(self, digest: str, drawing: Drawing) -> None:
        """Store the line drawing of a signal, on which its maps are painted. A stored drawing is left unchanged."""
        if not (path := self._file("images", digest, "json")).exists():
            write_atomically(path, drawing.model_dump_json().encode())

    def drawing(self, digest: str) -> Drawing | None:
        """The stored drawing of a signal; None if there is none.

        Raises:
            DataError: The file is damaged.
        """
        return image_files.read_drawing(self._file("images", digest, "json"))

    def image_path(self, digest: str) -> Path:
        """The path of the crop of an image, whether or not it exists."""
        return self._file("images", digest, "png")

    # Manifest and failures ────────────────────────────────────────────────────────────────────────

    def write_manifest(
        self, manifest: Manifest, images: Iterable[ImageEntry] | None = None, units: Iterable[UnitsEntry] | None = None
    ) -> None:
        """Write the manifest to run.json, in place of an earlier one.

        Args:
            manifest: the manifest.
            images: images in place of its own, of which one is in memory at a time.
            units: units in place of its own, likewise.
        """
        listed = manifest.images if images is None else images, manifest.units if units is None else units
        write_atomically(self.path / "run.json", pieces(manifest, *listed))

    @property
    def exists(self) -> bool:
        """Whether the folder holds a run."""
        return (self.path / "run.json").exists()

    def manifest(self) -> Manifest:
        """Read the manifest from run.json. A manifest of an earlier version of heatproof is converted to the present form.

        Raises:
            DataError: the folder has no run.json, or run.json is damaged, has a newer version, or has a field that does not fit.
        """
        return read_manifest(self.path / "run.json")

    def write_failure(self, unit: str, *failures: Failure) -> None:
        """Record why a unit failed, in place of an earlier record."""
        self._write_list(self.failure_path(unit), failures)

    def clear_failure(self, unit: str) -> None:
        """Delete the record of a unit's failure, if there is one."""
        path = self.failure_path(unit)
        with writing(path):
            path.unlink(missing_ok=True)

    def failures(self) -> list[Failure]:
        """The failures of all units of the run that failed and have not been finished since."""
        failures = self._lists("failed")
        failed = {failure.unit for failure in failures}
        done = {unit for unit in part_files.units_in(self.path / "parts") if unit in failed} if failed else ()
        return [failure for failure in failures if failure.unit not in done]

    def write_refused(self, unit: str, *failures: Failure) -> None:
        """Record which images a unit refused, in place of an earlier record."""
        self._write_list(self._file("refused", unit, "json"), failures)

    def refused(self) -> list[Failure]:
        """The refused images of all units; an image occurs once for each unit that refused it."""
        return self._lists("refused")

    # ──────────────────────────────────────────────────────────────────────────────────────────────

    def _written(self, name: str) -> Path:
        """The path of a file that the report consists of."""
        path = self.path / name
        if not path.exists():
            raise DataError(f"{path}: expected the file that a report has written, found none; run: heatproof report {self.path}")
        return path

    def current_parts(self, units: Collection[str] | None = None) -> tuple[list[Path], Collection[str] | None]:
        """The parts of these units, or of those that run.json lists, and the units; None for any if it lists none.

        A unit that a pack holds is not read from its own part as well.
        """
        units = self._current() if units is None else units
        folder = self.path / "parts"
        names = sorted(part_files.names(folder))
        packs = {name: part_files.stated_units(folder / name) for name in names if part_files.is_pack(name)}
        held = {f"{unit}.parquet" for packed in packs.values() for unit in packed} | {*packs}
        wanted = None if units is None else {f"{unit}.parquet" for unit in units}
        alone = [name for name in names if name not in held and (wanted is None or name in wanted)]
        some = [name for name, packed in packs.items() if units is None or not {*packed}.isdisjoint(units)]
        return [folder / name for name in [*alone, *some]], units

    def _file(self, folder: str, name: str, suffix: str) -> Path:
        if not _NAME.fullmatch(name):
            raise UsageError(f"expected a key of letters, digits, '.', '_' and '-', got {name!r}. Use a digest or a plain name.")
        return self.path / folder / f"{name}.{suffix}"

    def _write_list(self, path: Path, failures: Iterable[Failure]) -> None:
        write_atomically(path, json.dumps([item.to_dict() for item in failures], indent=1, ensure_ascii=False).encode())

    def _lists(self, folder: str) -> list[Failure]:
        files = sorted((self.path / folder).glob("[!.]*.json"))
        failures = [failure for file in files for failure in read_failures(file)]
        listed = self.manifest().units if failures and self.exists else ()
        if not listed:
            return failures
        named = {failure.unit for failure in failures}
        units = {key for entry in listed for key in entry.each() if key in named}
        return [failure for failure in failures if failure.unit in units]

    def _current(self) -> set[str] | None:
        """The keys of the units that the manifest lists; None if it lists none."""
        return (self.manifest().unit_keys() if self.exists else None) or None
