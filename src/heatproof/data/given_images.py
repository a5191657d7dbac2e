"""Images that were given in Python, as objects: tensors in model space, or photographs that a preprocessing makes tensors of."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from heatproof.core.errors import DataError, ImageRefused, TensorError, UsageError
from heatproof.core.objects import held
from heatproof.core.settings import content_hash
from heatproof.data.base import CropRegion, Dataset, Item, Preprocess, bytes_digest
from heatproof.data.decoding import flattened, open_image
from heatproof.data.image_files import file_digest
from heatproof.numerics.places import places_of

__all__ = ["GivenImages", "ImageList", "Picture", "checked_regions", "opened"]

Picture = Path | Image.Image | npt.NDArray[np.uint8]
"""A photograph: a file, a PIL image, or 8-bit pixels `[h, w]` or `[h, w, 3]`."""


@dataclass(frozen=True, eq=False)
class ImageList:
    """Images with their labels (−1 where there is none) and the regions of their objects, if these are known.

    tensors      floating-point images `[c, h, w]` or other data in model space, all of one shape; empty if there are pictures.
    pictures     photographs, in any size; empty if there are tensors.
    labels       a class for each image.
    regions      1 inside the object and 0 outside, NaN where there is no region, `[h, w]` for each tensor; empty if not known.
    class_names  the name of each label; empty if labels are indices of the network's classes.
    """

    tensors: tuple[Tensor, ...] = ()
    pictures: tuple[Picture, ...] = ()
    labels: tuple[int, ...] = ()
    regions: tuple[Tensor, ...] = ()
    class_names: tuple[str, ...] = ()

    def items(self) -> list[Item]:
        """One item for each image, with the digest of its content."""
        images: Sequence[Tensor | Picture] = self.tensors or self.pictures
        items = [Item(_name(image, row), _digest(image), self.labels[row]) for row, image in enumerate(images)]
        if not self.regions:
            return items
        return [
            replace(item, region="mask", region_digest=_digest(region)) if not bool(region.isnan().any()) else item
            for item, region in zip(items, self.regions, strict=True)
        ]

    @property
    def content(self) -> str:
        """The content hash of the images, labels and regions."""
        rows = [[item.name, item.digest, item.label, item.region_digest] for item in self.items()]
        return content_hash([rows, list(self.class_names)])


class GivenImages(Dataset):
    """Images in memory, which `heatproof.run` was given. Only that call can make one; a file cannot name images in memory.

    content  the hash of the images, their labels and the regions of their objects.

    >>> import torch
    >>> from heatproof.core.objects import HeldObject, holding
    >>> from heatproof.data.given_images import GivenImages, ImageList
    >>> images = ImageList(tensors=tuple(torch.zeros(2, 3, 8, 8)), labels=(0, 1))
    >>> with holding({images.content: HeldObject(images, "images")}):
    ...     data = GivenImages(content=images.content)
    ...     [(item.name, item.label) for item in data.items()], data.image_shape
    ([('image 0', 0), ('image 1', 1)], (3, 8, 8))

    Raises:
        DataError: The images are not in this process.
    """

    content: str

    @property
    def class_names(self) -> tuple[str, ...]:
        return self._images.class_names

    @property
    def image_shape(self) -> tuple[int, ...] | None:
        tensors = self._images.tensors
        return tuple(tensors[0].shape) if tensors else None

    def items(self) -> list[Item]:
        return self._images.items()[: self.count]

    def open(self, item: Item) -> Image.Image:
        pictures = self._images.pictures
        if not pictures:
            raise DataError(f"{self.name}: expected photographs to open, got tensors; use tensor(item, None)")
        return opened(pictures[self._row(item)], item.name)

    def tensor(self, item: Item, preprocess: Preprocess | None) -> Tensor:
        tensors = self._images.tensors
        return tensors[self._row(item)] if tensors else super().tensor(item, preprocess)

    def region_tensor(self, item: Item, crop: CropRegion | None) -> Tensor:
        regions = self._images.regions
        return regions[self._row(item)] if regions else super().region_tensor(item, crop)

    @property
    def _images(self) -> ImageList:
        images = held(self.content)
        if not isinstance(images, ImageList):
            raise DataError(
                f"{self.name}: expected images that heatproof.run was given, found none with the content {self.content[:8]}; give "
                "them again, as in heatproof.run(experiment, data=images), or put them in a folder"
            )
        return images

    def _row(self, item: Item) -> int:
        names = [_name(image, row) for row, image in enumerate(self._images.tensors or self._images.pictures)]
        if item.name not in names:
            raise DataError(f"{self.name}: expected an item of this set, got {item.name!r}; take items from `items()`")
        return names.index(item.name)


def opened(picture: Picture, name: str) -> Image.Image:
    """The photograph in mode `L` or `RGB`.

    Raises:
        ImageRefused: A file cannot be used.
    """
    if isinstance(picture, Path):
        return open_image(picture, name)
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    if image.mode.startswith(("I", "F")):
        raise ImageRefused(name, "more than 8 bits a channel, which would be clipped; scale it to 8 bits yourself")
    return flattened(image, name)


def checked_regions(regions: Tensor, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The region of each tensor.

    Raises:
        UsageError: The images are photographs.
        TensorError: The regions do not fit the images.
    """
    if not tensors:
        raise UsageError("regions: expected tensors of images beside them, got photographs; give a Folder with `masks`")
    expected = len(tensors), *places_of(tensors[0].shape)
    if tuple(regions.shape) != expected:
        raise TensorError(f"regions: expected one for each image, {list(expected)}, got {list(regions.shape)}; crop them alike")
    return tuple(regions.to(torch.float32))


def _name(image: Tensor | Picture, row: int) -> str:
    return str(image) if isinstance(image, Path) else f"image {row}"


def _digest(image: Tensor | Picture) -> str:
    if isinstance(image, Path):
        return file_digest(image)
    if isinstance(image, Tensor):
        array = image.detach().cpu().contiguous()
        return bytes_digest(f"{array.dtype} {list(array.shape)}".encode() + array.flatten().view(torch.uint8).numpy().tobytes())
    if isinstance(image, Image.Image):
        return bytes_digest(f"{image.mode} {image.size}".encode() + image.tobytes())
    return hashlib.sha256(f"{image.shape}".encode() + np.ascontiguousarray(image).tobytes()).hexdigest()[:32]
