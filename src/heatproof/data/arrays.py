"""Images and labels as arrays in one .npz file, as `numpy.savez` writes it. Pickled arrays are refused, because reading one
executes code.
"""

import struct
import zipfile
import zlib
from functools import lru_cache
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import model_validator

from heatproof.core.errors import DataError
from heatproof.data.base import Dataset, Item, bytes_digest, round_robin, row_of
from heatproof.data.decoding import MIN_SIDE

_REMEDY = "save it with numpy.savez(path, X_test=images, y_test=labels)"
_PIXELS = "8-bit pixels (uint8) of shape [n, h, w], [n, h, w, 1] or [n, h, w, 3]"


class Arrays(Dataset):
    """The images in the .npz file at `path`: uint8 pixels `[n, h, w]` or `[n, h, w, 1]` (grey) or `[n, h, w, 3]` (RGB).

    The classes alternate, so that the first n images contain all of them; images without labels are in the order of the file.
    `test 17` is row 17 of the part, counted from 0.

    path     the .npz file.
    part     the part of the file, which stands for `{part}` in the keys.
    images   the key of the images.
    labels   the key of the labels, which are integers `[n]` from 0. If it is empty, the images have no labels (−1).
    classes  the key of the class names. If it is empty, the labels are indices of the network's own classes.

    >>> import numpy as np
    >>> from heatproof.data import Arrays
    >>> images, names = np.zeros((4, 28, 28), dtype=np.uint8), np.array(["cat", "dog"])
    >>> np.savez("pets.npz", X_test=images, y_test=np.array([1, 1, 0, 0]), classes=names)
    >>> data = Arrays(path="pets.npz", count=3)
    >>> [(item.name, data.class_names[item.label]) for item in data.items()]
    [('test 2', 'cat'), ('test 0', 'dog'), ('test 3', 'cat')]

    Raises:
        DataError: The file is missing or damaged, lacks a key, or contains arrays of another kind.
    """

    path: Path
    part: str = "test"
    images: str = "X_{part}"
    labels: str = "y_{part}"
    classes: str = "classes"

    @model_validator(mode="after")
    def _images_have_a_key(self) -> Self:
        if not self.images:
            raise ValueError("images: expected a key of the file, such as X_{part}, got an empty text")
        return self

    @property
    def class_names(self) -> tuple[str, ...]:
        return self._table()[2]

    def items(self) -> list[Item]:
        pixels, labels, _ = self._table()
        return [
            Item(f"{self.part} {row}", bytes_digest(pixels[row].tobytes()), int(labels[row]))
            for row in round_robin(labels.tolist())[: self.count]
        ]

    def open(self, item: Item) -> Image.Image:
        pixels = self._table()[0]
        return Image.fromarray(pixels[row_of(item, len(pixels), self.name)])

    def _table(self) -> "_Table":
        keys = tuple(key.replace("{part}", self.part) for key in (self.images, self.labels, self.classes))
        try:
            known = self.path.stat()
        except OSError as error:
            raise DataError(f"{self.path}: expected an .npz file, got none ({error.strerror}); check `path`") from None
        return _read(self.path, keys, known.st_mtime_ns, known.st_size)


_Table = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], tuple[str, ...]]
"""Pixels `[n, h, w]` or `[n, h, w, 3]`, labels `[n]`, class names."""


@lru_cache(maxsize=2)
def _read(path: Path, keys: tuple[str, str, str], _changed: int, _size: int) -> _Table:
    """The arrays of the file under the three keys. The file is read again when it has changed."""
    images, labels, classes = _members(path, keys)
    if images is None:
        raise DataError(f"{path}: expected images, got none; {_REMEDY}")
    pixels = _checked_pixels(images, f"{path}: {keys[0]}")
    names = () if classes is None else _checked_names(classes, f"{path}: {keys[2]}")
    indices = np.full(len(pixels), -1) if labels is None else _checked_labels(labels, len(pixels), names, f"{path}: {keys[1]}")
    pixels.setflags(write=False)  # the tables are shared by every caller
    indices.setflags(write=False)
    return pixels, indices, names


BOMB, BOMB_RATIO = 2**28, 100
"""An array is not read if it is larger than so many bytes and than so many times its size in the file."""
_DAMAGE = (
    *(OSError, ValueError, EOFError, LookupError, TypeError, SyntaxError, ArithmeticError, MemoryError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)
"""The exceptions that NumPy raises for damaged files."""


def _members(path: Path, keys: tuple[str, ...]) -> list[npt.NDArray[np.generic] | None]:
    """The arrays under the keys; None for an empty key."""
    try:
        if not zipfile.is_zipfile(path):
            raise DataError(f"{path}: expected an .npz file, whole and with named arrays, got something else; {_REMEDY}")
        with zipfile.ZipFile(path) as archive:
            bomb = [info for info in archive.infolist() if info.file_size > max(BOMB, BOMB_RATIO * info.compress_size)]
        if bomb:
            size = f"{bomb[0].file_size / 1e6:,.0f} MB, over {BOMB_RATIO} times as much as in the file"
            raise DataError(f"{path}: {bomb[0].filename} would fill {size}; save it with numpy.savez")
        with np.load(path, allow_pickle=False) as file:
            missing = [key for key in keys if key and key not in file.files]
            if missing:
                raise DataError(
                    f"{path}: expected the keys {', '.join(filter(None, keys))}, did not find {', '.join(missing)} among "
                    f"{', '.join(file.files) or 'none'}; set `part`, `images`, `labels` or `classes`, empty for none"
                )
            return [np.asarray(file[key]) if key else None for key in keys]
    except _DAMAGE as error:
        if "allow_pickle" in str(error):
            raise DataError(f"{path}: expected plain arrays, got pickled ones, which run code when read; {_REMEDY}") from None
        reason = f"{error!s:.200}"
        raise DataError(f"{path}: expected an .npz file, could not read it ({reason}); copy it again or save it anew") from None


def _checked_pixels(images: npt.NDArray[np.generic], what: str) -> npt.NDArray[np.uint8]:
    shape = list(images.shape)
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or (images.ndim == 4 and shape[3] not in (1, 3)):
        raise DataError(
            f"{what}: expected {_PIXELS}, got {images.dtype} {shape}; move the channels last and scale to whole numbers 0 to 255"
        )
    if not len(images) or min(shape[1:3]) < MIN_SIDE:
        raise DataError(f"{what}: expected at least one image with sides of at least {MIN_SIDE} pixels, got {shape}; save others")
    pixels = images.astype(np.uint8, copy=False)
    return pixels[..., 0] if images.ndim == 4 and shape[3] == 1 else pixels


def _checked_names(classes: npt.NDArray[np.generic], what: str) -> tuple[str, ...]:
    if classes.ndim != 1 or classes.dtype.kind != "U" or not len(classes):
        raise DataError(f"{what}: expected a list of class names (text), got {classes.dtype} {list(classes.shape)}; {_REMEDY}")
    return tuple(map(str, classes))


def _checked_labels(labels: npt.NDArray[np.generic], n: int, names: tuple[str, ...], what: str) -> npt.NDArray[np.int64]:
    if labels.dtype.kind not in "iu" or labels.shape != (n,):
        raise DataError(
            f"{what}: expected a whole number for each image, [{n}], got {labels.dtype} {list(labels.shape)}; {_REMEDY}"
        )
    indices = labels.astype(np.int64)
    top = len(names) - 1 if names else int(indices.max())
    if indices.min() < 0 or indices.max() > top:
        raise DataError(
            f"{what}: expected labels from 0 to {top}, got {indices.min()} to {indices.max()}; count classes from 0, and name each"
        )
    return indices
