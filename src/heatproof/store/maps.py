"""Raw signed maps of one unit in one safetensors file.

A map a [c, h, w] is kept as float16 of a / s with s = max|a| over finite entries, next to s as float32: relative to its own
maximum a value keeps 11 bits, and no map overflows or vanishes. Near-ties may merge, so ranks are computed before maps are kept,
never after. Keys: "<image digest>" [c, h, w] and "<image digest>.scale" [1].
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from heatproof.core.errors import DataError, TensorError

_SCALE = ".scale"


def encode(maps: Mapping[str, "np.ndarray[Any, Any]"]) -> bytes:
    """Safetensors bytes of maps [c, h, w] by image digest, or `digest/name` for another map of that image.

    Raises:
        TensorError: a map has not three axes.
    """
    from safetensors.numpy import save

    tensors: dict[str, np.ndarray[Any, Any]] = {}
    for digest, values in maps.items():
        if values.ndim != 3:
            raise TensorError(f"map of {digest}: expected [channels, height, width], got shape {values.shape}. Keep the raw map.")
        wide = np.asarray(values, dtype=np.float64)
        scale = np.abs(wide, where=np.isfinite(wide), out=np.zeros_like(wide)).max(initial=0.0)
        tensors[digest] = np.ascontiguousarray((wide / scale if scale > 0 else wide).astype(np.float16))
        tensors[digest + _SCALE] = np.array([scale], dtype=np.float32)
    return save(tensors)


def read(path: Path, digest: str) -> "np.ndarray[Any, np.dtype[np.float32]]":
    """One map, float32 [c, h, w], in its own units.

    Raises:
        DataError: no such file, no such image in it, or a torn file.
    """
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        raise DataError(f"{path}: expected the maps of this unit, got no file. Run the unit again with maps kept.")
    try:
        with safe_open(path, framework="numpy") as file:
            if digest not in file.keys():  # noqa: SIM118 — safetensors files are not mappings
                raise DataError(f"{path}: expected a map of image {digest}, got {', '.join(_digests(file))}.")
            scaled, scale = file.get_tensor(digest), file.get_tensor(digest + _SCALE)
    except SafetensorError as error:
        raise DataError(
            f"{path}: expected a whole safetensors file, got {error}. Delete it and the part of its unit, then resume."
        ) from error
    factor = np.float32(scale[0]) if scale[0] > 0 else np.float32(1)
    return np.asarray(scaled, dtype=np.float32) * factor


def digests(path: Path) -> set[str]:
    """Digests of the maps that the file holds, those of further maps with their names; empty if there is no file."""
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        return set()
    try:
        with safe_open(path, framework="numpy") as file:
            return set(_digests(file))
    except SafetensorError as error:
        raise DataError(
            f"{path}: expected a whole safetensors file, got {error}. Delete it and the part of its unit, then resume."
        ) from error


def _digests(file: Any) -> list[str]:
    return sorted(key for key in file.keys() if not key.endswith(_SCALE))  # noqa: SIM118 — safetensors files are not mappings
