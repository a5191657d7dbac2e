"""Forty photographs that come with the library: public domain or CC0, with ImageNet labels, object boxes and masks."""

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
    """What is known of one photograph. Lengths in the file's pixels."""

    stem: str
    file: str
    size: tuple[int, int]
    """Width and height."""
    labels: tuple[int, ...]
    """ImageNet-1k indices that are right; the first is the item's label."""
    label_names: tuple[str, ...]
    licence: str
    author: str
    source: str
    boxes: tuple[tuple[int, int, int, int], ...]
    """Left, top, right, bottom of each object, by eye, about ±5 pixels; empty where nobody drew any."""
    mask_file: str | None
    probabilities: dict[str, float]
    """Probability of the labels together, by the name of the network, as measured when the set was made."""

    @property
    def credit(self) -> str:
        """The line to print beside it."""
        return f"{self.author}, {self.licence}, {self.source}"


class Photos(Dataset):
    """Photographs with a shorter side of at most 256 pixels. `names` picks some by stem, in that order. `regions` says what stands
    for the object: its mask, which 26 of them have, or the boxes around it, which 35 have.

    Without `names` the twelve of `Photos.TWELVE` come first, so `count = 12` is that set. Labels are ImageNet-1k indices. The
    photographs were picked because EfficientNet-Lite0 agrees with the label: its 40 of 40 is no accuracy.

    Raises:
        UnknownNameError: On listing: no photograph of such a stem; the message names the nearest.
    """

    TWELVE: ClassVar[tuple[str, ...]] = (
        *("panda", "dog", "fish9", "scarlet_macaw", "red_panda", "hedgehog"),
        *("bison", "polar_bear", "arcDeTriomphe", "screwDriver2", "coffee", "chelsea"),
    )
    """A good small set: clear objects, a likely second class in some, and one photograph with several objects."""

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
        """Author, licence, boxes and the rest of one photograph."""
        stem = Path(item.name).stem
        if stem not in _index():
            raise UnknownNameError("photograph", stem, list(_index()))
        return _index()[stem]

    def mask(self, item: Item) -> Image.Image | None:
        """The object's mask, mode `L`, 255 on the object, the photograph's own size; None where nobody drew one."""
        name = self.about(item).mask_file
        return None if name is None else open_item(Item(name, ""), _HOME)

    def region(self, item: Item) -> Image.Image | None:
        """The object's mask, or its boxes filled."""
        return self.mask(item) if self.regions == "mask" else _filled(self.about(item))

    def _item(self, photograph: Photograph) -> Item:
        item = file_item(_HOME / photograph.file, _HOME, photograph.labels[0])
        if self.regions == "mask" and photograph.mask_file:
            return replace(item, region="mask", region_digest=file_digest(_HOME / photograph.mask_file))
        if self.regions == "box" and photograph.boxes:
            return replace(item, region="box", region_digest=bytes_digest(repr(photograph.boxes).encode()))
        return item


def _filled(photograph: Photograph) -> Image.Image | None:
    """White boxes on black; None where there are none."""
    if not photograph.boxes:
        return None
    image = Image.new("L", photograph.size)
    draw = ImageDraw.Draw(image)
    for left, top, right, bottom in photograph.boxes:
        draw.rectangle((left, top, right - 1, bottom - 1), fill=255)  # Pillow's corner lies inside
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
