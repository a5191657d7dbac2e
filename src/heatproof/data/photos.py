"""Forty photographs that are distributed with the library: public domain or CC0, with ImageNet labels, object boxes and masks."""

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal

from PIL import Image, ImageDraw

from heatproof.core.errors import DataError, UnknownNameError
from heatproof.data.base import Dataset, Item, bytes_digest
from heatproof.data.image_files import file_digest, file_item, open_item

_HOME = Path(__file__).parent / "photographs"


@dataclass(frozen=True)
class Photograph:
    """The metadata of one photograph. Lengths are in pixels of the file."""

    stem: str
    file: str
    size: tuple[int, int]
    """Width and height."""
    labels: tuple[int, ...]
    """The ImageNet-1k indices that are correct; the first is the label of the item."""
    label_names: tuple[str, ...]
    licence: str
    author: str
    source: str
    boxes: tuple[tuple[int, int, int, int], ...]
    """Left, top, right and bottom of each object, drawn by eye, about ±5 pixels; empty if nobody drew any."""
    mask_file: str | None
    probabilities: dict[str, float]
    """The total probability of the labels, by the name of the network, as measured when the set was made."""

    @property
    def credit(self) -> str:
        """The credit line to print beside the photograph."""
        return f"{self.author}, {self.licence}, {self.source}"


class Photos(Dataset):
    """Photographs that come with the package, with a shorter side of at most 256 pixels.

    Labels are ImageNet-1k indices. The photographs were selected because EfficientNet-Lite0 agrees with the label, so its accuracy
    on them is no estimate.

    names    the stems of some of them, in that order. Without it, the twelve of `Photos.TWELVE` come first, so that `count = 12` is
             that set.
    regions  the region of the object: its mask, which 26 of them have, or the boxes around it, which 35 have.

    Raises:
        UnknownNameError: On listing, if there is no photograph of such a stem; the message lists the most similar ones.

    >>> from heatproof.data import Photos
    >>> photos = Photos(count=2)
    >>> [(item.name, item.label, item.region) for item in photos.items()]
    [('panda.jpg', 388, 'mask'), ('dog.jpg', ..., 'mask')]
    >>> photos.about(photos.items()[0]).label_names
    ('giant panda',)
    """

    TWELVE: ClassVar[tuple[str, ...]] = (
        *("panda", "dog", "fish9", "scarlet_macaw", "red_panda", "hedgehog"),
        *("bison", "polar_bear", "arcDeTriomphe", "screwDriver2", "coffee", "chelsea"),
    )
    """A small set with clear objects, a likely second class in some, and one photograph with several objects."""

    names: tuple[str, ...] | None = None
    regions: Literal["mask", "box"] = "mask"

    def items(self) -> list[Item]:
        known = _index()
        stems = list(known) if self.names is None else list(self.names)
        if not stems:
            raise DataError("photos: expected at least one name, got none; leave `names` out for all forty")
        for stem in stems:
            if stem not in known:
                raise UnknownNameError("photograph", stem, list(known))
        return [self._item(known[stem]) for stem in stems[: self.count]]

    def open(self, item: Item) -> Image.Image:
        return open_item(item, _HOME)

    def about(self, item: Item) -> Photograph:
        """Author, licence, boxes and the other metadata of one photograph."""
        stem = Path(item.name).stem
        if stem not in _index():
            raise UnknownNameError("photograph", stem, list(_index()))
        return _index()[stem]

    def mask(self, item: Item) -> Image.Image | None:
        """The mask of the object, of mode `L` and the size of the photograph, 255 on the object; None if nobody drew one."""
        name = self.about(item).mask_file
        return None if name is None else open_item(Item(name, ""), _HOME)

    def region(self, item: Item) -> Image.Image | None:
        """The mask of the object, or its boxes, filled."""
        return self.mask(item) if self.regions == "mask" else _filled(self.about(item))

    def _item(self, photograph: Photograph) -> Item:
        item = file_item(_HOME / photograph.file, _HOME, photograph.labels[0])
        if self.regions == "mask" and photograph.mask_file:
            return replace(item, region="mask", region_digest=file_digest(_HOME / photograph.mask_file))
        if self.regions == "box" and photograph.boxes:
            return replace(item, region="box", region_digest=bytes_digest(repr(photograph.boxes).encode()))
        return item


def _filled(photograph: Photograph) -> Image.Image | None:
    """White boxes on black; None if there are none."""
    if not photograph.boxes:
        return None
    image = Image.new("L", photograph.size)
    draw = ImageDraw.Draw(image)
    for left, top, right, bottom in photograph.boxes:
        draw.rectangle((left, top, right - 1, bottom - 1), fill=255)  # Pillow includes the corner
    return image


@cache
def _index() -> dict[str, Photograph]:
    entries = json.loads((_HOME / "index.json").read_text(encoding="utf-8"))
    return {photograph.stem: photograph for photograph in map(_photograph, entries)}


def _photograph(entry: dict[str, Any]) -> Photograph:
    width, height = entry["size"]
    return Photograph(
        stem=Path(entry["file"]).stem,
        file=entry["file"],
        size=(width, height),
        labels=tuple(entry["labels"]),
        label_names=tuple(entry["names"]),
        licence=entry["licence"],
        author=entry["author"],
        source=entry["source"],
        boxes=tuple((left, top, right, bottom) for left, top, right, bottom in entry["boxes"]),
        mask_file=entry["mask"],
        probabilities={key.removeprefix("p_"): value for key, value in entry.items() if key.startswith("p_")},
    )
