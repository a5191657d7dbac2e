"""Mosaics: several images of different classes side by side, of which one is explained.

In a mosaic of n × n cells the class of one image can be found in one cell only, as far as the network tells classes apart, so that
a map of it belongs there; chance is 1 / n². No image needs a region or a mask.

Source: Böhle, Fritz & Schiele, "Convolutional dynamic alignment networks for interpretable classifications", CVPR 2021. Differs
from the paper because a mosaic has the size of one image, so that networks of a fixed size take it.
"""

from collections.abc import Sequence
from typing import Annotated

import torch
from annotated_types import Ge, Le
from jaxtyping import Float
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn.functional import interpolate

from heatproof.core.errors import DataError
from heatproof.core.settings import content_hash
from heatproof.data.base import CropRegion, Dataset, Item, Preprocess, row_of
from heatproof.data.photos import Photos

_listed: dict[str, list[Item]] = {}
"""The labelled images of each set of mosaics, by the digest of its settings."""
_MOST_LISTED = 4

_CELL = 128
"""The side of a cell of the picture that people see, in pixels."""


class Mosaics(Dataset):
    """Mosaics of the images of another set; each of its labelled images is the explained one of one mosaic.

    The others are the next images of the set whose classes differ; the cell of the explained image goes from cell to cell. The
    region is that cell, and the label that of its image. Explain the label: the network's own choice may be another cell's.

    source  the set that the images come from; its labels tell which classes differ.
    cells   n, the number of cells along each side.

    >>> from heatproof.data import Mosaics, Photos, load
    >>> from heatproof.models.loaders import Toy
    >>> data, preprocessing = Mosaics(source=Photos(count=6)), Toy(channels=3).load().preprocessing
    >>> load(data, data.items()[:2], preprocessing).images.shape, len(data.items())
    (torch.Size([2, 3, 28, 28]), 6)
    >>> data.region_tensor(data.items()[0], preprocessing.region).mean()
    tensor(0.2500)

    Raises:
        DataError: The set has fewer than n² classes.
    """

    source: Dataset = Photos()
    cells: Annotated[int, Ge(2), Le(8)] = 2

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.source.class_names

    @property
    def image_shape(self) -> tuple[int, ...] | None:
        return self.source.image_shape

    def items(self) -> list[Item]:
        _listed.pop(self.digest, None)
        items = self._labelled()
        rows = range(len(items))[: self.count]
        return [self._item(items, row) for row in rows]

    def open(self, item: Item) -> Image.Image:
        side = _CELL * self.cells
        mosaic = Image.new("RGB", (side, side))
        for cell, part in enumerate(self._parts(item)):
            square = ImageOps.fit(self.source.open(part).convert("RGB"), (_CELL, _CELL))
            mosaic.paste(square, (cell % self.cells * _CELL, cell // self.cells * _CELL))
        return mosaic

    def region(self, item: Item) -> Image.Image:
        cell = row_of(item, len(self._labelled()), self.name) % self.cells**2
        mask = Image.new("L", (_CELL * self.cells,) * 2)
        left, top = cell % self.cells * _CELL, cell // self.cells * _CELL
        mask.paste(255, (left, top, left + _CELL, top + _CELL))
        return mask

    def tensor(self, item: Item, preprocess: Preprocess | None) -> Tensor:
        return tiled([self.source.tensor(part, preprocess) for part in self._parts(item)], self.cells)

    def region_tensor(self, item: Item, crop: CropRegion | None) -> Tensor:
        shape = self.source.image_shape[1:] if self.source.image_shape else super().region_tensor(item, crop).shape
        return cell_region(row_of(item, len(self._labelled()), self.name) % self.cells**2, self.cells, *shape)

    def _labelled(self) -> list[Item]:
        """The labelled images of the source, as of the last listing in this process: opening one must not list all again."""
        if self.digest not in _listed:
            items = [item for item in self.source.items() if item.label >= 0]
            classes = len({item.label for item in items})
            if classes < self.cells**2:
                raise DataError(
                    f"{self.name}: expected images of at least {self.cells**2} classes in {self.source.name}, got {classes}; "
                    "give labels, a larger set or fewer cells"
                )
            while len(_listed) >= _MOST_LISTED:
                del _listed[next(iter(_listed))]
            _listed[self.digest] = items
        return _listed[self.digest]

    def _item(self, items: Sequence[Item], row: int) -> Item:
        digests = [part.digest for part in _parts_of(items, row, self.cells)]
        digest = content_hash([digests, self.cells])[:32]
        return Item(f"mosaic {row}", digest, items[row].label, "box", content_hash([row % self.cells**2, self.cells])[:32])

    def _parts(self, item: Item) -> list[Item]:
        items = self._labelled()
        return _parts_of(items, row_of(item, len(items), self.name), self.cells)


def tiled(images: Sequence[Float[Tensor, "c h w"]], cells: int) -> Float[Tensor, "c h w"]:
    """N × n images as one of the size of each, row by row: each is scaled down to its cell.

    >>> import torch
    >>> from heatproof.data.mosaics import tiled
    >>> tiled([torch.full((1, 4, 4), float(k)) for k in range(4)], 2)[0, ::2, ::2]
    tensor([[0., 1.],
            [2., 3.]])
    """
    mosaic = torch.empty_like(images[0])
    for cell, image in enumerate(images):
        rows, columns = _extent(cell, cells, *mosaic.shape[1:])
        size = rows.stop - rows.start, columns.stop - columns.start
        mosaic[:, rows, columns] = interpolate(image[None], size, mode="bilinear", antialias=True)[0]
    return mosaic


def cell_region(cell: int, cells: int, height: int, width: int) -> Float[Tensor, "h w"]:
    """1 in a cell, counted row by row, and 0 elsewhere."""
    region = torch.zeros(height, width)
    region[_extent(cell, cells, height, width)] = 1
    return region


def _extent(cell: int, cells: int, height: int, width: int) -> tuple[slice, slice]:
    """The rows and the columns of a cell."""
    row, column = divmod(cell, cells)
    rows = slice(row * height // cells, (row + 1) * height // cells)
    return rows, slice(column * width // cells, (column + 1) * width // cells)


def _parts_of(items: Sequence[Item], row: int, cells: int) -> list[Item]:
    """The images of a mosaic, row by row: the explained one in its cell, the next ones of other classes in the others."""
    others: list[Item] = []
    for step in range(1, len(items)):
        other = items[(row + step) % len(items)]
        if len(others) < cells**2 - 1 and other.label not in {items[row].label, *(each.label for each in others)}:
            others.append(other)
    cell = row % cells**2
    return [*others[:cell], items[row], *others[cell:]]
