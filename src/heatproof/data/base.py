"""What an image set is: a list of items, known before any is decoded, and a way to open one."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from PIL import Image
from pydantic import PositiveInt

from heatproof.core.errors import DataError
from heatproof.core.settings import Settings

UNREADABLE = "0" * 32
"""Digest of an item whose bytes cannot be read; opening it says why."""


@dataclass(frozen=True)
class Item:
    """One image of a set, before it is decoded."""

    name: str
    """What a user calls it: the path relative to the set's root with forward slashes, or `digit 17`."""
    digest: str
    """First 32 hexadecimal digits of the SHA-256 of the file's bytes (of the pixels, where a set has no files)."""
    label: int = -1
    """Index into the model's classes; −1 where unknown."""
    region: Literal["mask", "box", "none"] = "none"
    """What is known of where the object lies: its outline, boxes around it, or nothing."""
    region_digest: str = ""
    """Digest of the mask or the boxes; empty where there are none."""


class Dataset(Settings, ABC):
    """An image set. Listing is cheap and decodes nothing unless the set says otherwise; opening is safe."""

    home: ClassVar[str] = "heatproof.data"
    family: ClassVar[str] = "data set"

    count: PositiveInt | None = None
    """The first so many items; None = all."""

    @abstractmethod
    def items(self) -> list[Item]:
        """The images of the set, in an order that depends on nothing but the set.

        Raises:
            DataError: The set is missing, empty, or holds a label that cannot be read; the message says what to do.
        """

    @abstractmethod
    def open(self, item: Item) -> Image.Image:
        """The decoded image, 8 bits a channel, mode `L` or `RGB`.

        Raises:
            ImageRefused: The image cannot be used; the message names it and says why.
        """

    def region(self, item: Item) -> Image.Image | None:
        """Where the object lies: mode `L`, above 127 on it, of the image's size; None where the set does not know.

        Raises:
            ImageRefused: The mask cannot be used; the message names it and says why.
        """
        return None

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of each label; empty where labels index the model's own classes."""
        return ()


def bytes_digest(data: bytes) -> str:
    """First 32 hexadecimal digits of the SHA-256."""
    return hashlib.sha256(data).hexdigest()[:32]


def row_of(item: Item, rows: int, owner: str) -> int:
    """The row that ends the name of an item such as `digit 17`.

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
    """Indices reordered so that the classes take turns: any first n hold every class as evenly as can be."""
    turns: dict[int, int] = {}
    keys = []
    for index, label in enumerate(labels):
        turns[label] = turns.get(label, -1) + 1
        keys.append((turns[label], label, index))
    return [index for _, _, index in sorted(keys)]
