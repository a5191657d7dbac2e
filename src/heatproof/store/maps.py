"""The signed maps of one unit are stored in one safetensors file.

A map a [c, h, w] is stored as a / s in float16, together with s = max|a| over its finite entries in float32. Relative to the
maximum of its map, a value has 11 bits, and no map overflows or vanishes. Nearly equal values may become equal, so metrics that
rank values are computed before maps are stored. The keys are "<image digest>" [c, h, w] and "<image digest>.scale" [1].
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from heatproof.core.errors import DataError, TensorError

_SCALE = ".scale"


def encode(maps: Mapping[str, "np.ndarray[Any, Any]"]) -> bytes:
    """The content of a safetensors file with maps [c, h, w], by image digest, or by `digest/name` for a further map of an image.

    Raises:
        TensorError: a map does not have three axes.
    """
    from safetensors.numpy import save

    tensors: dict[str, np.ndarray[Any, Any]] = {}
    for digest, values in maps.items():
        if values.ndim != 3:
            raise TensorError(
                f"map of {digest}: expected [channels, height, width], got shape {values.shape}. Store the method's own map."
            )
        wide = np.asarray(values, dtype=np.float64)
        scale = np.abs(wide, where=np.isfinite(wide), out=np.zeros_like(wide)).max(initial=0.0)
        tensors[digest] = np.ascontiguousarray((wide / scale if scale > 0 else wide).astype(np.float16))
        tensors[digest + _SCALE] = np.array([scale], dtype=np.float32)
    return save(tensors)


def read(path: Path, digest: str) -> "np.ndarray[Any, np.dtype[np.float32]]":
    """Read one map, float32 [c, h, w], in its original scale.

    Raises:
        DataError: the file does not exist, is damaged, or has no map of this image.
    """
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        raise DataError(f"{path}: expected the maps of this unit, got no file. Run the unit again, and store its maps.")
    try:
        with safe_open(path, framework="numpy") as file:
            if digest not in file.keys():  # noqa: SIM118 — safetensors files are not mappings
                raise DataError(f"{path}: expected a map of image {digest}, got {', '.join(_digests(file))}.")
            scaled, scale = file.get_tensor(digest), file.get_tensor(digest + _SCALE)
    except SafetensorError as error:
        raise _damaged(path, error) from error
    factor = np.float32(scale[0]) if scale[0] > 0 else np.float32(1)
    return np.asarray(scaled, dtype=np.float32) * factor


def digests(path: Path) -> set[str]:
    """The keys of all maps in a file: a digest, or `digest/name` for a further map; empty if the file does not exist."""
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        return set()
    try:
        with safe_open(path, framework="numpy") as file:
            return set(_digests(file))
    except SafetensorError as error:
        raise _damaged(path, error) from error


def fault(path: Path) -> str:
    """Why a file of maps cannot be used; empty if it can."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            file.keys()
    except (SafetensorError, OSError) as error:
        return f"maps that cannot be read ({error})"
    return ""


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path}: expected a whole safetensors file, got {error}. "
        "Start the run again: it sets the file aside and computes its unit anew."
    )


def _digests(file: Any) -> list[str]:
    return sorted(key for key in file.keys() if not key.endswith(_SCALE))  # noqa: SIM118 — safetensors files are not mappings
