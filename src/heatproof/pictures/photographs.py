"""Photographs as arrays of pixels, to be drawn under maps of their size."""

from typing import Any

import numpy as np
from PIL import Image

from heatproof.core.errors import TensorError
from heatproof.pictures.colors import Pixels

_REMEDY = "give the tensor that was explained, or model.preprocessing.crop(photograph)"


def photographs(images: Any, count: int, size: tuple[int, ...]) -> list[Pixels]:
    """One array of pixels for each map, uint8 `[h, w]` or `[h, w, 3]`.

    Args:
        images: PIL images or arrays uint8 `[h, w]` or `[h, w, 3]`: one, a list, or an array of several.
        count: the number of maps.
        size: the height and the width of a map.

    Raises:
        TensorError: They are something else, there are not as many as maps, or they differ in size.
    """
    several = list(images) if isinstance(images, list | tuple) or getattr(images, "ndim", 0) == 4 else [images]
    arrays = [_pixels(each) for each in several]
    if len(arrays) != count or any(each.shape[:2] != size for each in arrays):
        sizes = ", ".join(dict.fromkeys(str(list(each.shape[:2])) for each in arrays))
        raise TensorError(
            f"images: expected {count} of the size of the maps, {list(size)}, got {len(arrays)} of {sizes}; {_REMEDY}"
        )
    return arrays


def _pixels(image: Any) -> Pixels:
    if isinstance(image, Image.Image):
        return np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))
    array = np.asarray(image)
    if array.dtype != np.uint8 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)):
        what = f"{type(image).__name__} {array.dtype} {list(array.shape)}"
        raise TensorError(f"images: expected PIL images, or arrays uint8 [h, w] or [h, w, 3], got {what}; {_REMEDY}")
    return array
