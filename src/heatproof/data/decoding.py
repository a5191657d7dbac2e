"""Safe decoding of image files from any source, to 8-bit grey or RGB images, or a refusal that names the file and the remedy.

Handled:  EXIF rotation (applied) · animations and multi-page files (first frame) · palettes (converted to RGB) · transparency
          (composed onto white) · CMYK (plain formula; embedded colour profiles are never applied) · 1-bit images (grey).
Refused:  more than 40 megapixels, before anything is decoded · shorter side below 8 pixels · more than 20 times as long as wide,
          which resizing of the shorter side would enlarge beyond memory · 16-bit, 32-bit and floating pixels, which Pillow would
          clip or truncate · truncated or damaged files · empty files · other formats · folders, broken links, link loops, pipes ·
          files without read permission.

Only the listed formats are ever tried, because every further reader of Pillow is code that an untrusted file could reach.
"""

import os
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from heatproof.core.errors import ImageRefused

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
MAX_PIXELS = 40_000_000
MIN_SIDE = 8
MAX_ASPECT = 20

_READABLE = frozenset(("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr"))
_DAMAGE = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    EOFError,
    SyntaxError,
    OverflowError,
    RuntimeError,
    struct.error,
    zlib.error,
)
"""The exceptions that Pillow's readers raise for damaged files."""


Conversion = Callable[[Image.Image, str], Image.Image]
"""(decoded image, its name) → the image that is returned; it may raise `ImageRefused`."""


def flattened(image: Image.Image, _: str) -> Image.Image:
    """The image in mode `L` or `RGB`, composed onto white where it is transparent."""
    grey = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        canvas = Image.new("RGBA", image.size, "white")
        canvas.alpha_composite(image)
        image = canvas
    mode = "L" if grey else "RGB"
    return image if image.mode == mode else image.convert(mode)


def open_image(file: Path | BinaryIO, name: str, convert: Conversion = flattened) -> Image.Image:
    """Decode one file or open stream safely.

    Args:
        file: a path or an open binary stream.
        name: the name of the image in messages.
        convert: what is done with the decoded image, whose rotation is applied: by default, it becomes a photograph.

    Returns:
        An image of mode `L` or `RGB` that keeps no file open.

    Raises:
        ImageRefused: The image is one of those that the module refuses.

    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from heatproof.data import open_image
    >>> Image.new("RGBA", (32, 16), (255, 0, 0, 0)).save("clear.png")
    >>> image = open_image(Path("clear.png"), "clear.png")
    >>> image.mode, image.size, image.getpixel((0, 0))  # transparent pixels are white
    ('RGB', (32, 16), (255, 255, 255))
    """
    if not isinstance(file, Path):
        return _decode(file, name, convert)
    reason = unreadable(file)
    if reason:
        raise ImageRefused(name, reason)
    with file.open("rb") as stream:
        return _decode(stream, name, convert)


def unreadable(path: Path) -> str:
    """The reason why the bytes of a path cannot be read, with the remedy; empty if they can."""
    try:
        if path.is_file():
            with path.open("rb") as stream:
                return "" if stream.read(1) else "the file is empty (0 bytes); copy it again"
        if path.is_dir():
            ending = f", or rename it without {path.suffix} to leave it out of a data set" if path.suffix else ""
            return f"expected an image file, got a folder; name the images in it{ending}"
        if path.is_symlink():
            return "the link leads nowhere or in a circle; mend the link"
        return "expected a regular file, got a pipe or device" if path.exists() else "no such file; check its path"
    except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
        reason = error.strerror if isinstance(error, OSError) else error
        return f"the file may not be read ({reason}); mend its permissions or its disk"


def _decode(stream: BinaryIO, name: str, convert: Conversion) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns about size, which is refused below, and about metadata, which is not used
        try:
            with Image.open(stream, formats=FORMATS) as image:
                reason = _unfit(image)
                if reason:
                    raise ImageRefused(name, reason)
                with _without_messages_of_libtiff(image):
                    image.load()
                return convert(ImageOps.exif_transpose(image), name)
        except Image.DecompressionBombError:
            raise ImageRefused(name, f"more than {MAX_PIXELS / 1e6:.0f} megapixels; make it smaller") from None
        except UnidentifiedImageError:
            raise ImageRefused(name, f"not an image in one of the formats {', '.join(FORMATS)}; convert it to PNG") from None
        except _DAMAGE as error:
            raise ImageRefused(name, f"the file is truncated or damaged ({error}); copy it again or save it anew") from error


@contextmanager
def _without_messages_of_libtiff(image: ImageFile.ImageFile) -> Iterator[None]:
    """A block in which standard error leads nowhere, if the image is a TIFF: libtiff writes there what it finds wrong,
    from C, and Pillow raises an error of its own.
    """
    try:
        kept = os.dup(2) if image.format == "TIFF" else None
    except OSError:  # there is no standard error
        kept = None
    if kept is None:
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _unfit(image: ImageFile.ImageFile) -> str:
    """The reason why an image that is open but not decoded is refused; empty if it is not."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        return f"{width} × {height} is more than {MAX_PIXELS / 1e6:.0f} megapixels; make it smaller"
    if min(width, height) < MIN_SIDE:
        return f"{width} × {height}: the shorter side must have at least {MIN_SIDE} pixels; use a larger image"
    if max(width, height) > MAX_ASPECT * min(width, height):
        return f"{width} × {height} is more than {MAX_ASPECT} times as long as wide; cut out the part to look at"
    if image.mode.startswith(("I", "F")) or any(";16" in _raw_mode(tile) for tile in image.tile):
        return "more than 8 bits a channel, which would be clipped or cut; scale it to 8 bits yourself and save it again"
    if image.mode not in _READABLE:
        return f"colours in mode {image.mode}; convert it to RGB"
    return ""


def _raw_mode(tile: tuple[object, ...]) -> str:
    arguments = tile[3]
    return str(arguments[0]) if isinstance(arguments, tuple) and arguments else str(arguments)
