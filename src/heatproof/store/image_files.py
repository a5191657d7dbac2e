"""Files of the crops that a network received, and of the drawings on which maps are painted."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from heatproof.core.drawing import Drawing
from heatproof.core.errors import DataError, TensorError
from heatproof.store.atomic import write_atomically

if TYPE_CHECKING:
    import numpy as np


def write_crop(path: Path, pixels: "np.ndarray[Any, Any]") -> None:
    """Write a crop, uint8 [h, w, 3] or [h, w].

    Raises:
        TensorError: the array has another type or shape.
    """
    from PIL import Image

    if pixels.dtype != "uint8" or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)):
        raise TensorError(
            f"image {path.stem}: expected uint8 [height, width, 3] or [height, width], got {pixels.dtype} {pixels.shape}."
        )
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", optimize=True)
    write_atomically(path, buffer.getvalue())


def read_drawing(path: Path) -> Drawing | None:
    """The drawing in a file; None if there is no such file.

    Raises:
        DataError: The file is damaged.
    """
    try:
        return Drawing.model_validate_json(path.read_bytes()) if path.exists() else None
    except ValidationError as error:
        raise DataError(f"{path}: expected a whole drawing, got {error}. Delete it and run its unit again.") from error
