"""A flat folder of images, with or without a file of labels."""

from dataclasses import replace
from pathlib import Path

from PIL import Image

from heatproof.core.errors import DataError, ImageRefused
from heatproof.data.base import Dataset, Item
from heatproof.data.image_files import file_digest, file_item, image_files, open_item
from heatproof.data.labels import label_index
from heatproof.data.mask_files import open_mask


class Folder(Dataset):
    """The images of a folder, sorted by name, without those of folders inside it.

    Listing reads every listed file once, for its digest. The validation set of ImageNet with its usual `val.txt` is such a folder.

    path     the folder.
    labels   a text file with one line for each image: the file name, then a comma, a tab or a space, then the label. A label is an
             index, one of `classes`, or a WordNet id of ImageNet. Images that are not listed have label −1. Empty lines and lines
             that start with # are skipped.
    masks    a folder with a mask for each image whose object is known, of the same stem (`cat.jpg`, `cat.png`) and size, white on
             the object and black elsewhere; 0 and 1, two colours of a palette, and transparency are read too.
    classes  the names of the classes, in the order of their labels. If it is empty, labels are indices of the network's own
             classes.

    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from heatproof.data import Folder
    >>> for name in ("a", "b"):
    ...     Image.new("RGB", (32, 32)).save(f"{name}.png")
    >>> Path("labels.txt").write_text("b.png,dog")
    9
    >>> [(item.name, item.label) for item in Folder(path=".", labels="labels.txt", classes=("cat", "dog")).items()]
    [('a.png', -1), ('b.png', 1)]

    Raises:
        DataError: The folder is missing or has no images, or a line of the label file cannot be read.
    """

    path: Path
    labels: Path | None = None
    masks: Path | None = None
    classes: tuple[str, ...] = ()

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.classes

    def items(self) -> list[Item]:
        files = image_files(self.path)
        if not files:
            raise DataError(
                f"{self.path}: no images here; expected files that end in .png, .jpg, .webp, .bmp, .gif or .tif "
                "(for one folder a class use the data set image_folder)"
            )
        labels = self._labels({file.name for file in files}) if self.labels else {}
        masks = self._masks()
        return [self._item(file, labels.get(file.name, -1), masks.get(file.stem)) for file in files[: self.count]]

    def open(self, item: Item) -> Image.Image:
        return open_item(item, self.path)

    def region(self, item: Item) -> Image.Image | None:
        """The mask of the image."""
        if self.masks is None or item.region == "none":
            return None
        file = self._masks()[Path(item.name).stem]
        mask, size = open_mask(file, file.name), self.open(item).size
        if mask.size != size:
            raise ImageRefused(
                str(file), f"expected a mask of the image's size, {size}, got {mask.size}; draw it on the image itself"
            )
        return mask

    def _masks(self) -> dict[str, Path]:
        return {file.stem: file for file in image_files(self.masks)} if self.masks else {}

    def _item(self, file: Path, label: int, mask: Path | None) -> Item:
        item = file_item(file, self.path, label)
        return replace(item, region="mask", region_digest=file_digest(mask)) if mask else item

    def _labels(self, names: set[str]) -> dict[str, int]:
        labels: dict[str, int] = {}
        for number, line in enumerate(self._lines(), start=1):
            if not line.strip() or line.startswith("#"):
                continue
            where = f"{self.labels}, line {number}"
            name, label = _split(line.strip(), where)
            if name not in names:
                raise DataError(f"{where}: no image called {name!r} in {self.path}; mend the name or remove the line")
            labels[name] = label_index(label, self.classes, where)
        return labels

    def _lines(self) -> list[str]:
        if self.labels is None:
            return []
        try:
            return self.labels.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(
                f"{self.labels}: expected a UTF-8 text file with one line an image, could not read it ({error})"
            ) from None


def _split(line: str, where: str) -> tuple[str, str]:
    separator = next((mark for mark in (",", "\t") if mark in line), None)
    parts = [part.strip() for part in line.rsplit(separator, 1)]
    if len(parts) != 2 or not all(parts):
        raise DataError(f"{where}: expected a file name and a label with a comma, a tab or a space between, got {line!r}")
    return parts[0], parts[1]
