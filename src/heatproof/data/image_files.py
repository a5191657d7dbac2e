"""Image files of a folder, by name, and their digests; nothing is decoded."""

import hashlib
from pathlib import Path, PurePosixPath

from PIL import Image

from heatproof.core.errors import DataError, ImageRefused
from heatproof.data.base import UNREADABLE, Item
from heatproof.data.decoding import open_image, unreadable

SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".webp", ".bmp", ".gif", ".tif", ".tiff")
OTHER_IMAGES = (".heic", ".heif", ".avif", ".jxl", ".jp2", ".psd", ".svg", ".ppm", ".pgm", ".pnm", ".tga", ".dcm")
"""Image formats that are listed in order to be refused by name, rather than ignored silently."""


def image_files(folder: Path) -> list[Path]:
    """The files whose names end like those of images, sorted by name. Hidden entries and other files are ignored.

    Raises:
        DataError: The folder is missing or cannot be listed.
    """
    return [path for path in entries(folder) if path.suffix.lower() in SUFFIXES + OTHER_IMAGES]


def entries(folder: Path) -> list[Path]:
    """Everything in a folder that is not hidden, sorted by name."""
    try:
        return sorted((path for path in folder.iterdir() if not path.name.startswith(".")), key=lambda path: path.name)
    except FileNotFoundError:
        expected = "an image file" if folder.suffix else "a folder of images"
        raise DataError(f"{folder}: expected {expected}, found neither a file nor a folder of this name; check the path") from None
    except NotADirectoryError:
        raise DataError(f"{folder}: expected a folder of images, got a file; name the folder it lies in") from None
    except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError(f"{folder}: the folder may not be listed ({reason}); mend its permissions or links") from None


def file_item(path: Path, root: Path, label: int = -1) -> Item:
    """The item of one file, which is read once for its digest."""
    return Item(path.relative_to(root).as_posix(), file_digest(path), label)


def file_digest(path: Path) -> str:
    """The first 32 hexadecimal digits of the SHA-256 of the file's bytes; `UNREADABLE` if they cannot be read."""
    if unreadable(path):
        return UNREADABLE
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()[:32]
    except OSError:  # a disk that fails half way; opening the image raises the reason
        return UNREADABLE


def open_item(item: Item, root: Path) -> Image.Image:
    """The decoded image of an item, whose file must lie inside `root`.

    Raises:
        ImageRefused: The path leads out of the folder, or the image cannot be used.
    """
    relative = PurePosixPath(item.name)
    if relative.is_absolute() or ".." in relative.parts:
        raise ImageRefused(item.name, f"expected a path inside {root}; take items from `items()`")
    return open_image(root / relative, item.name)
