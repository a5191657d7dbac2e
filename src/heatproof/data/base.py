"""The interface of a data set: a list of items, known before any image is decoded, and a way to open each."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from PIL import Image
from pydantic import PositiveInt
from torch import Tensor

from heatproof.core.drawing import Drawing
from heatproof.core.errors import DataError
from heatproof.core.settings import Settings

Preprocess = Callable[[Image.Image], Tensor]
"""(a decoded image of mode `L` or `RGB`) → a floating tensor `[c, h, w]` in model space."""
CropRegion = Callable[[Image.Image | None], Tensor]
"""(a region, or None) → a tensor `[h, w]`, resized and cropped as the image is."""

UNREADABLE = "0" * 32
"""The digest of an item whose bytes cannot be read; opening the item raises the reason."""


@dataclass(frozen=True, slots=True)
class Item:
    """One image of a data set, before it is decoded."""

    name: str
    """The name that users see: the path relative to the root of the set with forward slashes, or a name such as `digit 17`."""
    digest: str
    """The first 32 hexadecimal digits of the SHA-256 of the file's bytes (or of the pixels, if the set has no files)."""
    label: int = -1
    """The position of the class among `class_names` of the data set, or the index of the network's class if the set has none; −1 if
    unknown.
    """
    region: Literal["mask", "box", "none"] = "none"
    """What is known of the location of the object: its outline, boxes around it, or nothing."""
    region_digest: str = ""
    """The digest of the mask or of the boxes; empty if there are none."""
    value: float | None = None
    """The quantity that a regression predicts; None if unknown."""


class Dataset(Settings, ABC):
    """A data set of images. Listing the items is cheap and, unless a set says otherwise, decodes nothing."""

    home: ClassVar[str] = "heatproof.data"
    adapters: ClassVar[str] = "heatproof.data.given_images"
    family: ClassVar[str] = "data set"

    count: PositiveInt | None = None
    """The number of items, taken from the start; None = all."""

    @abstractmethod
    def items(self) -> list[Item]:
        """The images of the set, in an order that depends on nothing but the set.

        Raises:
            DataError: The set is missing or empty, or has a label that cannot be read; the message contains the remedy.
        """

    @abstractmethod
    def open(self, item: Item) -> Image.Image:
        """The decoded image, 8 bits per channel, of mode `L` or `RGB`.

        Raises:
            ImageRefused: The image cannot be used; the message contains its name and the reason.
        """

    def region(self, item: Item) -> Image.Image | None:
        """The location of the object: an image of mode `L` and of the same size, above 127 on the object; None if the set does not
        know it.

        Raises:
            ImageRefused: The mask cannot be used; the message contains its name and the reason.
        """
        return None

    def scene(self, item: Item) -> Image.Image | None:
        """The same image without its object, of the same size and mode; None if the set does not know it.

        Raises:
            ImageRefused: The image cannot be used; the message contains its name and the reason.
        """
        return None

    def drawing(self, item: Item) -> Drawing | None:
        """A line drawing of an item of a set of signals, on which its map is painted; None if the set has none.

        Raises:
            ImageRefused: The item cannot be used.
        """
        return None

    def tensor(self, item: Item, preprocess: Preprocess | None) -> Tensor:
        """The image as the network takes it, `[c, h, w]`: the decoded image after `preprocess`, unless the set holds tensors.

        Raises:
            ImageRefused: The image cannot be used.
            DataError: The set holds photographs, and `preprocess` is None.
        """
        if preprocess is None:
            raise DataError(
                f"{self.name}: expected a way to make a tensor of {item.name}, got none; give the model a preprocessing, such as "
                "Preprocessing(side=224, resize=256)"
            )
        return preprocess(self.open(item))

    def region_tensor(self, item: Item, crop: CropRegion | None) -> Tensor:
        """The region of the object as the network sees the image, `[h, w]`: the mask after `crop`, unless the set holds tensors.

        Raises:
            ImageRefused: The mask cannot be used.
            DataError: The set holds photographs, and `crop` is None.
        """
        if crop is None:
            raise DataError(f"{self.name}: expected a way to crop the region of {item.name}, got none; give preprocessing.region")
        return crop(self.region(item))

    def scene_tensor(self, item: Item, preprocess: Preprocess | None) -> Tensor | None:
        """The image without its object as the network takes it, `[c, h, w]`; None if the set does not know it.

        Raises:
            ImageRefused: The image cannot be used.
        """
        scene = self.scene(item)
        return None if scene is None or preprocess is None else preprocess(scene)

    @property
    def image_shape(self) -> tuple[int, ...] | None:
        """The shape `[c, h, w]` of the images of a set of tensors; None if the preprocessing of a model decides it."""
        return None

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each label; empty if labels are indices of the network's own classes."""
        return ()

    @property
    def heading(self) -> str:
        """The name under which results speak of the set."""
        return self.name

    @property
    def quantity(self) -> str:
        """The name of the quantity that the items have as `value`; empty if the set has classes."""
        return ""


def bytes_digest(data: bytes) -> str:
    """The first 32 hexadecimal digits of the SHA-256."""
    return hashlib.sha256(data).hexdigest()[:32]


def row_of(item: Item, rows: int, owner: str) -> int:
    """The row number at the end of the name of an item such as `digit 17`.

    Raises:
        DataError: The item belongs to another set.
    """
    last = item.name.rpartition(" ")[2]
    if not last.isdecimal() or int(last) >= rows:
        raise DataError(
            f"{owner}: expected an item of this set, which ends in a row below {rows}, got {item.name!r}; take items from `items()`"
        )
    return int(last)


def round_robin(labels: Sequence[int]) -> list[int]:
    """The indices of `labels`, reordered so that the classes alternate: any first n contain every class as evenly as possible.

    >>> from heatproof.data.base import round_robin
    >>> round_robin([0, 0, 0, 1, 1])
    [0, 3, 1, 4, 2]
    """
    turns: dict[int, int] = {}
    keys = []
    for index, label in enumerate(labels):
        turns[label] = turns.get(label, -1) + 1
        keys.append((turns[label], label, index))
    return [index for _, _, index in sorted(keys)]
