"""run.json is written a piece at a time, and its head is read without what grows with the run: the images and the units.

These come last, each image and each entry of units on a line of its own, so that neither the writer nor a run that is resumed holds
the text of all of them.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from heatproof.store.manifest import MANIFEST_VERSION, ImageEntry, Manifest, UnitsEntry
from heatproof.store.upgrade import read_manifest

AT_ONCE = 2**16
"""The least bytes of a piece but the last one."""
_LONG = ("images", "units")
_END = b"\n ]\n}"


def pieces(manifest: Manifest, images: Iterable[ImageEntry], units: Iterable[UnitsEntry]) -> Iterator[bytes]:
    """The content of run.json, with these images and units in place of the manifest's own."""
    piece = bytearray()
    for text in _texts(manifest, images, units):
        piece += text
        if len(piece) >= AT_ONCE:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


def _texts(manifest: Manifest, images: Iterable[ImageEntry], units: Iterable[UnitsEntry]) -> Iterator[bytes]:
    yield to_json(manifest.model_copy(update=dict.fromkeys(_LONG, ())), indent=1, exclude={*_LONG}).removesuffix(b"\n}")
    for name, entries in zip(_LONG, (images, units), strict=True):
        yield b',\n "%s": [' % name.encode()
        gap = b"\n  "
        for entry in entries:
            yield gap + to_json(entry)
            gap = b",\n  "
        yield b"\n ]"
    yield b"\n}"


def read_head(path: Path) -> Manifest:
    """The manifest of a run.json without its images and units; with them if it was not written by `pieces`.

    Raises:
        DataError: the file is no manifest, as in `read_manifest`.
    """
    with suppress(OSError, ValueError), path.open("rb") as file:
        file.seek(-len(_END), os.SEEK_END)
        whole = file.read() == _END
        file.seek(0)
        lines = [*iter(file.readline, b' "images": [\n')] if whole else []
        content = from_json(b"".join(lines).rstrip().removesuffix(b",") + b"\n}")
        if content.get("version") == MANIFEST_VERSION and {*Manifest.model_fields} == {*content, *_LONG}:
            with suppress(ValidationError):
                return Manifest.model_validate(content, strict=False)
    return read_manifest(path)
