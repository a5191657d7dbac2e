"""A run is a folder.

    run.json                   the manifest, rewritten atomically
    experiment.toml            copy of what was asked
    parts/<unit>.parquet       one immutable part per unit (rows = Record); a unit is done ⇔ its part exists
    maps/<unit>.safetensors    raw signed maps, written before the part
    images/<digest>.png        the 8-bit crop the network saw
    failed/<unit>.json         why a unit could not be computed
    refused/<unit>.json        images that were refused without failing their unit
    report.html figures/ tables/

Every file is written whole or not at all, so a run may be killed at any moment and resumed, and may be read while it grows.
"""

import io
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from heatproof.core.errors import DataError, TensorError, UsageError
from heatproof.core.records import Failure, Record
from heatproof.store import maps as map_files
from heatproof.store import parts as part_files
from heatproof.store.atomic import write_atomically
from heatproof.store.manifest import MANIFEST_VERSION, Manifest
from heatproof.store.upgrade import upgraded

if TYPE_CHECKING:
    import pyarrow as pa

REMEDY = "Delete this file and start the run again: units whose parts exist are not computed again."
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_ORDER = "model, method, metric, metric_settings, component, image, seed, unit"


class Run:
    """One run on disk. Nothing is created before the first write, and nothing is cached."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    # Units ────────────────────────────────────────────────────────────────────────────────────────

    def done(self) -> set[str]:
        """Units whose part exists."""
        return {part.stem for part in self._parts()}

    def write_part(self, unit: str, records: Iterable[Record], maps: "Mapping[str, np.ndarray[Any, Any]] | None" = None) -> None:
        """Keep the result of a unit: its maps first, then its part, then forget its failure.

        Args:
            unit: key of the unit.
            records: its rows; may be none, if every image was refused.
            maps: raw maps [c, h, w] by image digest; None keeps none.

        Raises:
            UsageError: a record belongs to another unit, or the key is no plain file name.
            TensorError: a map has not three axes.
        """
        rows = list(records)
        strangers = {row.unit for row in rows} - {unit}
        if strangers:
            raise UsageError(
                f"part {unit!r}: expected records of this unit only, got some of {sorted(strangers)}. Write one part per unit."
            )
        if maps is not None:
            write_atomically(self.maps_path(unit), map_files.encode(maps))
        write_atomically(self._file("parts", unit, "parquet"), part_files.encode(rows))
        self.clear_failure(unit)

    def query(self, sql: str) -> "pa.Table":
        """Arrow table of an SQL statement over the view `records` of the parts that belong to the run as run.json has it.

        Parts of units that run.json does not list come from earlier settings: they are kept, and not shown.

        Raises:
            DataError: a part is torn or of a newer schema; the message names it.
            duckdb.Error: the statement is wrong.
        """
        units = self._current()
        return part_files.query([part for part in self._parts() if units is None or part.stem in units], sql)

    def records(self) -> "pa.Table":
        """All rows as an Arrow table with the columns of `Record`, in one fixed order."""
        return self.query(f"SELECT * FROM records ORDER BY {_ORDER}")

    # Maps and images ──────────────────────────────────────────────────────────────────────────────

    def map(self, unit: str, digest: str) -> "np.ndarray[Any, np.dtype[np.float32]]":
        """The raw signed map of one image, float32 [c, h, w]; DataError if it was not kept."""
        return map_files.read(self.maps_path(unit), digest)

    def mapped(self, unit: str) -> set[str]:
        """Digests of the images whose maps this unit keeps."""
        return {key for key in map_files.digests(self.maps_path(unit)) if "/" not in key}

    def further(self, unit: str, digest: str) -> set[str]:
        """Names of the further maps of an image that a metric left; `map(unit, f"{digest}/{name}")` reads one."""
        keys = (key.partition("/") for key in map_files.digests(self.maps_path(unit)))
        return {name for image, _, name in keys if image == digest and name}

    def maps_path(self, unit: str) -> Path:
        """Where the maps of a unit are, whether or not they exist."""
        return self._file("maps", unit, "safetensors")

    def write_image(self, digest: str, pixels: "np.ndarray[Any, Any]") -> None:
        """Keep the crop the network saw: uint8 [h, w, 3] or [h, w]. An image already kept is left alone.

        Raises:
            TensorError: not such an array.
        """
        from PIL import Image

        if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)):
            raise TensorError(
                f"image {digest}: expected uint8 [height, width, 3] or [height, width], got {pixels.dtype} {pixels.shape}."
            )
        if self.image_path(digest).exists():
            return
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, format="PNG", optimize=True)
        write_atomically(self.image_path(digest), buffer.getvalue())

    def image_path(self, digest: str) -> Path:
        """Where the crop of an image is, whether or not it exists."""
        return self._file("images", digest, "png")

    # Manifest and failures ────────────────────────────────────────────────────────────────────────

    def write_manifest(self, manifest: Manifest) -> None:
        """Replace run.json."""
        write_atomically(self.path / "run.json", manifest.model_dump_json(indent=1).encode())

    @property
    def exists(self) -> bool:
        """Whether the folder holds a run."""
        return (self.path / "run.json").exists()

    def manifest(self) -> Manifest:
        """The content of run.json; one that an earlier version of heatproof wrote is brought up to the present one.

        Raises:
            DataError: The folder has no run.json, or its run.json is torn, of a newer version, or has fields that do not fit.
        """
        path = self.path / "run.json"
        if not path.exists():
            raise DataError(
                f"{self.path}: expected a run folder with a run.json, found none. Give the folder that a run was written to."
            )
        content = _read_json(path)
        if not isinstance(content, dict):
            raise DataError(f"{path}: expected a JSON object, got {type(content).__name__}. {REMEDY}")
        version = content.get("version", content.get("schema", MANIFEST_VERSION))
        if not isinstance(version, int) or version > MANIFEST_VERSION:
            raise DataError(
                f"{path}: expected version {MANIFEST_VERSION} or older, got {version!r}. Upgrade heatproof to read this run."
            )
        try:
            return Manifest.model_validate(upgraded(content), strict=False)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise DataError(f"{path}: {where}: {first['msg']}, got {first['input']!r:.80}. {REMEDY}") from None

    def write_failure(self, unit: str, *failures: Failure) -> None:
        """Say why a unit has no part, replacing what was said before."""
        self._write_list(self._file("failed", unit, "json"), failures)

    def clear_failure(self, unit: str) -> None:
        """Forget why a unit failed; no failure is no error."""
        self._file("failed", unit, "json").unlink(missing_ok=True)

    def failures(self) -> list[Failure]:
        """Of every unit of the run that failed and has no part since."""
        done = self.done()
        return [failure for failure in self._lists("failed") if failure.unit not in done]

    def write_refused(self, unit: str, *failures: Failure) -> None:
        """Say which images of a unit were refused, replacing what was said before."""
        self._write_list(self._file("refused", unit, "json"), failures)

    def refused(self) -> list[Failure]:
        """Images that were refused, as said by each unit that met them."""
        return self._lists("refused")

    # ──────────────────────────────────────────────────────────────────────────────────────────────

    def _parts(self) -> list[Path]:
        return sorted((self.path / "parts").glob("[!.]*.parquet"))

    def _file(self, folder: str, name: str, suffix: str) -> Path:
        if not _NAME.fullmatch(name):
            raise UsageError(f"expected a key of letters, digits, '.', '_' and '-', got {name!r}. Use a digest or a plain name.")
        return self.path / folder / f"{name}.{suffix}"

    def _write_list(self, path: Path, failures: Iterable[Failure]) -> None:
        write_atomically(path, json.dumps([item.to_dict() for item in failures], indent=1, ensure_ascii=False).encode())

    def _lists(self, folder: str) -> list[Failure]:
        files = sorted((self.path / folder).glob("[!.]*.json"))
        units = self._current()
        found = [Failure(**item) for file in files for item in _read_json(file)]
        return [failure for failure in found if units is None or failure.unit in units]

    def _current(self) -> set[str] | None:
        """The keys of the units that belong to the run by its manifest; None where the manifest lists none."""
        units = self.manifest().units if self.exists else ()
        return {unit.unit for unit in units} or None


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise DataError(f"{path}: expected JSON, got a file that ends or breaks at {error}. {REMEDY}") from error
