"""A folder with one folder a class, as ImageNet's training set comes."""

from pathlib import Path

from PIL import Image

from heatproof.core.errors import DataError
from heatproof.data.base import Dataset, Item, round_robin
from heatproof.data.image_files import entries, file_item, image_files, open_item
from heatproof.data.labels import is_wordnet_id, label_index, wordnet_index


class ImageFolder(Dataset):
    """`path/<class>/<image>`. The classes take turns, so that the first n images hold all of them; names decide the order.

    Folders called by WordNet ids (n01440764) get their ImageNet-1k index. Others get the position of their name in
    `classes`, or among the folders sorted by name if `classes` is empty. Files beside the class folders and folders inside
    them are no part of the set.

    Listing reads every listed file once, for its digest.
    """

    path: Path
    classes: tuple[str, ...] = ()

    @property
    def class_names(self) -> tuple[str, ...]:
        """The given classes, else the sorted names of the folders; empty for WordNet ids, whose labels are ImageNet's own."""
        if self.classes:
            return self.classes
        names = tuple(folder.name for folder in self._folders())
        return () if any(is_wordnet_id(name) for name in names) else names

    def items(self) -> list[Item]:
        folders = self._folders()
        labels = self._labels([folder.name for folder in folders])
        found = [(file, label) for folder, label in zip(folders, labels, strict=True) for file in image_files(folder)]
        if not found:
            raise DataError(
                f"{self.path}: no images in its {len(folders)} folders; expected {self.path}/<class>/<image>, one level deep"
            )
        order = round_robin([label for _, label in found])[: self.count]
        return [file_item(found[index][0], self.path, found[index][1]) for index in order]

    def open(self, item: Item) -> Image.Image:
        return open_item(item, self.path)

    def _folders(self) -> list[Path]:
        folders = [entry for entry in entries(self.path) if entry.is_dir()]
        if not folders:
            raise DataError(
                f"{self.path}: no folders here; expected one folder a class (for a flat folder use the data set folder)"
            )
        return folders

    def _labels(self, names: list[str]) -> list[int]:
        if self.classes:
            return [label_index(name, self.classes, f"{self.path}/{name}") for name in names]
        wordnet = [is_wordnet_id(name) for name in names]
        if not any(wordnet):
            return list(range(len(names)))
        if not all(wordnet):
            stranger = names[wordnet.index(False)]
            raise DataError(
                f"{self.path}/{stranger}: unknown label {stranger!r} among WordNet ids; move the folder away or give `classes`"
            )
        return [wordnet_index(name, f"{self.path}/{name}") for name in names]
