"""Noise with one bright patch, whose pattern alone tells the class: images of which it is known where the information is.

Without the pixels of the patch, an image says nothing about its class, whatever network looks at it. All pixels of the patch are
brighter than all others, so that the image itself, as a map, is the truth. The place of the patch does not depend on the class.
"""

from functools import lru_cache
from typing import Self

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import Field, PositiveInt, model_validator

from heatproof.core.seeds import derive, seed_of
from heatproof.data.base import Dataset, Item, bytes_digest, row_of

PATTERNS = ("top", "bottom", "left", "right")
DARKEST_OF_PATCH, BRIGHTEST_BESIDE = 160, 95


class PlantedPatches(Dataset):
    """Grey noise from 0 to 95, and a square patch, one half of which is white (255) and the other grey (160).

    The class is which half is white: the top, the bottom, the left or the right one. The classes alternate. The region of an image
    is its patch.

    part   any name; parts share no random draws.
    n      the number of images.
    side   the side of the images in pixels.
    patch  the side of the patch in pixels, even, and at most half of the image's.

    >>> from heatproof.data import PlantedPatches
    >>> data = PlantedPatches(n=8, patch=4)
    >>> [data.class_names[item.label] for item in data.items()[:4]]
    ['top', 'bottom', 'left', 'right']
    >>> data.open(data.items()[0]).size, data.region(data.items()[0]).getcolors()
    ((16, 16), [(240, 0), (16, 255)])
    """

    part: str = "train"
    n: PositiveInt = 400
    side: PositiveInt = Field(default=16, ge=8)
    patch: PositiveInt = Field(default=6, ge=2)

    @model_validator(mode="after")
    def _halves_fit(self) -> Self:
        if self.patch % 2 or self.patch > self.side // 2:
            raise ValueError(f"patch: expected an even number up to half of the side, {self.side // 2}, got {self.patch}")
        return self

    def items(self) -> list[Item]:
        return [self._item(row) for row in range(min(self.n, self.count or self.n))]

    @property
    def class_names(self) -> tuple[str, ...]:
        return PATTERNS

    def open(self, item: Item) -> Image.Image:
        return Image.fromarray(self._drawn(item)[0])

    def region(self, item: Item) -> Image.Image:
        return Image.fromarray(self._drawn(item)[1])

    def _drawn(self, item: Item) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        return _drawn(self.part, row_of(item, self.n, self.name), self.side, self.patch)

    def _item(self, row: int) -> Item:
        pixels, mask = _drawn(self.part, row, self.side, self.patch)
        digest, region = bytes_digest(pixels.tobytes()), bytes_digest(mask.tobytes())
        return Item(f"{self.part} {row}", digest, row % len(PATTERNS), "mask", region)


@lru_cache(maxsize=20_000)
def _drawn(part: str, row: int, side: int, patch: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """The pixels `[side, side]`, and the mask of the patch, 255 inside."""
    random = np.random.default_rng(seed_of(derive("planted patches", part, row)))
    pixels = random.integers(0, BRIGHTEST_BESIDE + 1, (side, side)).astype(np.uint8)
    top, left = (int(random.integers(0, side - patch + 1)) for _ in range(2))
    y, x = np.mgrid[:patch, :patch]
    bright = (2 * y < patch, 2 * y >= patch, 2 * x < patch, 2 * x >= patch)[row % len(PATTERNS)]
    mask = np.zeros_like(pixels)
    mask[top : top + patch, left : left + patch] = 255
    pixels[top : top + patch, left : left + patch] = np.where(bright, 255, DARKEST_OF_PATCH)
    return pixels, mask
