"""A folder with one folder for each class, in the layout of ImageNet's training set."""

from pathlib import Path

from PIL import Image

from heatproof.core.errors import DataError
from heatproof.data.base import Dataset, Item, round_robin
from heatproof.data.image_files import entries, file_item, image_files, open_item
from heatproof.data.labels import is_wordnet_id, label_index, wordnet_index


class ImageFolder(Dataset):
    """The images `path/<class>/<image>`. The classes alternate, so that the first n images contain all of them.

    Folders that are named by WordNet ids (n01440764) get their ImageNet-1k index as label. Files beside the class folders and
    folders inside them are ignored. Listing reads every listed file once, for its digest.

    path     the folder that contains one folder for each class.
    classes  the names of the class folders, in the order of their labels. If it is empty, the folders are sorted by name.

    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from heatproof.data import ImageFolder
    >>> for name in ("dog", "cat"):
    ...     Path(name).mkdir()
    ...     Image.new("RGB", (32, 32)).save(f"{name}/1.png")
    >>> data = ImageFolder(path=".")
    >>> data.class_names, [(item.name, item.label) for item in data.items()]
    (('cat', 'dog'), [('cat/1.png', 0), ('dog/1.png', 1)])

    Raises:
        DataError: The folder is missing or has no images, or a folder is not named after a class.
    """

    path: Path
    classes: tuple[str, ...] = ()

    @property
    def class_names(self) -> tuple[str, ...]:
        """The given classes, otherwise the sorted names of the folders; empty for WordNet ids, whose labels are ImageNet
        indices.
        """
        if self.classes:
            return self.classes
        names = tuple(folder.name for folder in self._folders())
        return () if any(is_wordnet_id(name) for name in names) else names

    def items(self) -> list[Item]:
        folders = self._folders()
        labels = self._labels([folder.name for folder in folders])
        labelled = [(file, label) for folder, label in zip(folders, labels, strict=True) for file in image_files(folder)]
        if not labelled:
            raise DataError(
                f"{self.path}: no images in its {len(folders)} folders; expected {self.path}/<class>/<image>, one level deep"
            )
        order = round_robin([label for _, label in labelled])[: self.count]
        return [file_item(labelled[index][0], self.path, labelled[index][1]) for index in order]

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
            other = names[wordnet.index(False)]
            raise DataError(
                f"{self.path}/{other}: unknown label {other!r} among WordNet ids; move the folder away or give `classes`"
            )
        return [wordnet_index(name, f"{self.path}/{name}") for name in names]
