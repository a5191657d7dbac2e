"""A classification data set of torchvision, such as CIFAR10, FashionMNIST or SVHN."""

import importlib
import importlib.util
import inspect
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image

from heatproof.core.errors import DataError, UnknownNameError
from heatproof.data.base import Dataset, Item, bytes_digest, row_of
from heatproof.data.labels import imagenet_indices

_COMMAND = "pip install torchvision"


class TorchvisionSet(Dataset):
    """A data set of `torchvision.datasets`, by its name.

    The digest is that of the decoded pixels, so listing decodes every listed image. For example, `TorchvisionSet(dataset="CIFAR10",
    root="data", download=True)` is the test set of CIFAR-10; it requires torchvision.

    dataset   the name of the class in `torchvision.datasets`.
    root      the folder in which torchvision stores the set.
    split     "train", "test" or any other that the set knows.
    download  whether the set is downloaded if it is missing.

    Raises:
        UnknownNameError: torchvision has no such data set.
        DataError: torchvision is not installed, or the set is not there or has no such split.
    """

    dataset: str
    root: Path
    split: str = "test"
    download: bool = False

    @property
    def class_names(self) -> tuple[str, ...]:
        """The class names of the set; empty for the whole of ImageNet-1k, whose labels are the indices of every network trained
        on it.
        """
        source = self._set()
        if len(getattr(source, "wnids", ())) == len(imagenet_indices()):
            return ()
        return tuple(name if isinstance(name, str) else ", ".join(name) for name in getattr(source, "classes", ()))

    def items(self) -> list[Item]:
        source = self._set()
        if not len(source):
            raise DataError(f"{self.root}: {self.dataset} is empty; delete the folder and set download = true")
        return [self._item(row) for row in range(min(len(source), self.count or len(source)))]

    def open(self, item: Item) -> Image.Image:
        source = self._set()
        image, _ = self._pair(row_of(item, len(source), self.name))
        return image

    def _item(self, row: int) -> Item:
        image, label = self._pair(row)
        return Item(
            f"{self.dataset} {self.split} {row}", bytes_digest(f"{image.mode}{image.size}".encode() + image.tobytes()), label
        )

    def _pair(self, row: int) -> tuple[Image.Image, int]:
        image, label = self._set()[row]
        if not isinstance(image, Image.Image) or not hasattr(label, "__index__"):
            raise DataError(
                f"{self.dataset}: expected pairs of an image and a class, got {type(image).__name__} and {type(label).__name__}; "
                "choose a classification set"
            )
        return image if image.mode in ("L", "RGB") else image.convert("RGB"), int(label)

    def _set(self) -> Any:
        return _build(self.dataset, self.root, self.split, self.download)


@lru_cache(maxsize=2)
def _build(name: str, root: Path, split: str, download: bool) -> Any:
    if importlib.util.find_spec("torchvision") is None:
        raise DataError(f"torchvision_set: expected the package torchvision, but it is not installed; run: {_COMMAND}")
    datasets = importlib.import_module("torchvision.datasets")
    known = [item for item in datasets.__all__ if "root" in inspect.signature(getattr(datasets, item)).parameters]
    if name not in known:
        raise UnknownNameError("torchvision data set", name, known)
    build = getattr(datasets, name)
    arguments = {"root": root, **_split(name, set(inspect.signature(build).parameters), split)}
    if download:
        arguments["download"] = True
    try:
        return build(**arguments)
    except (RuntimeError, OSError, ValueError, TypeError) as error:
        raise DataError(
            f"{root}: {name} ({split}) cannot be opened ({error}); check `root` and `split`, or set download = true"
        ) from error


def _split(name: str, parameters: set[str], split: str) -> dict[str, Any]:
    if "split" in parameters:
        return {"split": split}
    if "train" in parameters:
        if split not in ("train", "test"):
            raise DataError(f"{name}: expected split to be train or test, got {split!r}")
        return {"train": split == "train"}
    raise DataError(
        f"{name}: the set has no train and test parts, so this loader cannot choose one; save it as class folders instead"
    )
