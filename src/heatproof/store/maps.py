"""The signed maps of one unit are stored in one safetensors file.

A map a [c, h, w] is stored in float32 as it is, so that every metric gives the same for the stored map as for the map itself. Where
float16 holds a / s without any rounding, s = max|a| over its finite entries, as in a mask, it is stored so, which takes half of the
space. Maps of earlier versions are all in float16, where nearly equal values may have become equal: they are for pictures, and not
for metrics that rank values.

The keys are "<image digest>" [c, h, w] and "<image digest>.scale" [1], which is s in float32, and 0 for a map in float32.
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
        full = np.asarray(values, dtype=np.float32)
        scale = np.abs(full, where=np.isfinite(full), out=np.zeros_like(full)).max(initial=0.0)
        short = (full / scale if scale > 0 else full).astype(np.float16)
        exact = np.array_equal(_scaled_back(short, scale), full, equal_nan=True)
        tensors[digest] = np.ascontiguousarray(short if exact else full)
        tensors[digest + _SCALE] = np.array([scale if exact else 0.0], dtype=np.float32)
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
    return _scaled_back(scaled, scale[0])


def _scaled_back(scaled: "np.ndarray[Any, Any]", scale: Any) -> "np.ndarray[Any, np.dtype[np.float32]]":
    with np.errstate(invalid="ignore", over="ignore"):  # infinity and NaN stay what they are
        return np.asarray(scaled, dtype=np.float32) * (np.float32(scale) if scale > 0 else np.float32(1))


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
