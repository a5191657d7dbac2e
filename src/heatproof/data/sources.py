"""What a user may give as images: a data set, the name of one, a path, or objects; each becomes a data set or a list of images.

Floating-point tensors and arrays are images in model space, channels first. Pixels of 8 bits, PIL images and files are photographs,
channels last, which the preprocessing of a model makes tensors of.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from heatproof.core.errors import DataError, TensorError, UnknownNameError, UsageError, near_names
from heatproof.core.objects import HeldObject, holding
from heatproof.core.settings import exports
from heatproof.core.settings_text import parse_settings
from heatproof.data.arrays import Arrays
from heatproof.data.base import Dataset
from heatproof.data.folder import Folder
from heatproof.data.given_images import GivenImages, ImageList, Picture, checked_regions
from heatproof.data.image_files import entries, image_files
from heatproof.data.image_folder import ImageFolder

TAKEN = (
    "a data set or its name, a path, a PIL image, pixels (numpy, uint8), a tensor [n, c, h, w] in the network's units, or an "
    "iterable of images or (image, label)"
)
TAKEN_AS_PICTURES = "a data set or its name, a path, a PIL image, pixels (numpy, uint8, channels last), or a sequence of these"


def dataset_of(source: Any) -> Dataset | None:
    """The data set that a source names: itself, a registered name, a table of settings, a folder, or an .npz file; None for others.

    A folder with images is a `Folder`; one with folders only is an `ImageFolder`, with one class in each. Settings may follow a
    name or a path, as on the command line.

    Raises:
        UnknownNameError: A text is neither the name of a data set nor a path.
        UsageError: A text is both.
        DataError: A path does not exist.

    >>> from heatproof.data.sources import dataset_of
    >>> str(dataset_of("photos,count=4"))
    'photos(count=4)'
    """
    if isinstance(source, Dataset):
        return source
    if isinstance(source, Mapping) and "name" in source:
        return Dataset.from_dict(source)
    if isinstance(source, str) and "," in source and not os.path.exists(source):
        return _with_settings(source)
    if isinstance(source, str) and not _is_path(source):
        known = list(exports(Dataset))
        if source not in known:
            meant = near_names(source, known) or f"Data sets: {', '.join(known)}."
            raise UnknownNameError(
                Dataset.family, source, known, f"There is no file or folder {source!r:.80} in {Path.cwd()} either. {meant}"
            )
        return Dataset.from_dict(source)
    if not isinstance(source, str | Path):
        return None
    path = Path(source)
    if path.suffix == ".npz":
        return Arrays(path=path)
    if os.path.isfile(path):  # unlike the method of a path, it is False for a name that no file can have
        return None
    has_classes = not image_files(path) and any(os.path.isdir(entry) for entry in entries(path))
    return ImageFolder(path=path) if has_classes else Folder(path=path)


@contextmanager
def pictures(source: Any) -> Iterator[Dataset]:
    """The data set of a source of photographs; images in memory are held inside the block.

    Raises:
        UsageError: The source holds tensors, or is none of what `load_images` takes.
    """
    dataset = dataset_of(source)
    if dataset is not None:
        yield dataset
        return
    images = image_list(source, taken=TAKEN_AS_PICTURES)
    if images.tensors:
        raise UsageError(
            f"images: expected {TAKEN_AS_PICTURES}, got floating-point numbers; an image in the network's units needs no "
            "preprocessing: give methods the tensor itself, or torch.from_numpy(images).permute(0, 3, 1, 2) where channels are last"
        )
    with holding({images.content: HeldObject(images, "images")}):
        yield GivenImages(content=images.content)


def image_list(
    source: Any, labels: Any = None, regions: Tensor | None = None, count: int | None = None, taken: str = TAKEN
) -> ImageList:
    """The images of a source in memory, with their labels and regions.

    Args:
        source: a tensor, an array, a PIL image, the path of a file, a pair (images, labels) of tensors, or an iterable of images,
            of (image, label), of batches of either, or of mappings with `image` and `label`.
        labels: a class for each image; None for those of the source, if it has any.
        regions: 1 inside the objects and 0 outside `[n, h, w]`, one value for each place, beside tensors only.
        count: the number of images, taken from the start; None = all.
        taken: what the message of an error says that is taken.

    Raises:
        UsageError: The source is something else, or it mixes tensors and photographs.
        TensorError: Tensors are not of one shape and a floating-point type, or the labels or regions do not fit them.
        DataError: There is no image.

    >>> import torch
    >>> from heatproof.data.sources import image_list
    >>> image_list([(torch.zeros(3, 8, 8), 1), (torch.ones(3, 8, 8), 0)]).labels
    (1, 0)
    """
    several = labels is not None and len(labels) > 1
    pairs = list(islice(_pairs(source, taken, Rows.BATCH if several else Rows.ALL), count))
    if not pairs:
        raise DataError("images: expected at least one image, got none; an iterator that was used before is empty")
    images = [image for image, _ in pairs]
    tensors = tuple(image for image in images if isinstance(image, Tensor))
    if tensors and len(tensors) < len(images):
        raise UsageError("images: expected either tensors or photographs, got both; make tensors of all of them")
    _check_tensors(tensors)
    given = [label for _, label in pairs] if labels is None else list(labels)[:count]
    if len(given) != len(images):
        raise TensorError(f"labels: expected one for each of the {len(images):,} images, got {len(given):,}")
    names = getattr(source, "classes", ())
    named = labels is None and isinstance(names, list | tuple) and bool(names) and all(isinstance(name, str) for name in names)
    return ImageList(
        tensors=tensors,
        pictures=() if tensors else tuple(cast(list[Picture], images)),
        labels=tuple(map(_label, given)),
        regions=() if regions is None else checked_regions(regions[:count], tensors),
        class_names=tuple(names) if named else (),
    )


def _with_settings(text: str) -> Dataset:
    """The data set of a text such as `photos,count=4` or `pictures,labels=val.txt`."""
    settings = parse_settings(text)
    name = settings.pop("name")
    if name == text:
        raise UsageError(f"{text}: expected NAME,key=value,…, got a bracket that is not closed; close it")
    if name in exports(Dataset) and not _is_path(name):  # which may not be whole without its settings
        return Dataset.from_dict({"name": name, **settings})
    dataset = dataset_of(name)
    if dataset is None:
        raise UsageError(f"{text}: expected a data set or a folder with settings, got an image, which has none")
    return type(dataset).from_dict({**dataset.to_dict(), **settings})


def _is_path(text: str) -> bool:
    known, there = text in exports(Dataset), os.path.exists(text)
    if known and there:
        raise UsageError(
            f"{text}: expected a data set or a path, got a text that is the name of both; write ./{text} for the path, or "
            f'{{"name": "{text}"}} for the data set'
        )
    return not known and (there or "/" in text or "\\" in text or bool(Path(text).suffix))


def _pairs(source: Any, taken: str, rows: "Rows") -> Iterator[tuple[Tensor | Picture, Any]]:
    """The images of a source, one by one, each with its label or None."""
    single = _images(source, rows)
    if single is not None:
        yield from ((image, None) for image in single)
    elif _is_pair(source):
        yield from _labelled(source)
    else:
        for element in _elements(source, taken):
            yield from _labelled(element, taken)


def _labelled(element: Any, taken: str = TAKEN) -> Iterator[tuple[Tensor | Picture, Any]]:
    """The images of one element of an iterable: an image, a batch, or either of them with labels."""
    if isinstance(element, Mapping) and "image" in element:
        element = element["image"], element.get("label")
    given, label = element if _is_pair(element) else (element, None)
    several = isinstance(label, list | tuple) or getattr(label, "ndim", 0) == 1
    images = _images(given, Rows.BATCH if several else Rows.ELEMENT)
    if images is None:
        raise UsageError(f"images: expected {taken}, got {_kind(given)} among them")
    labels = list(cast(Iterable[Any], label)) if several else [label] * len(images)
    if len(labels) != len(images):
        raise TensorError(f"labels: expected one for each of the {len(images):,} images of a batch, got {len(labels):,}")
    yield from zip(images, labels, strict=True)


def _is_pair(element: Any) -> bool:
    """Whether an element is (image, label): the second part is a number, or as many numbers as the first part has images."""
    if not isinstance(element, list | tuple) or len(element) != 2:
        return False
    image, label = element
    if isinstance(label, list | tuple):
        return hasattr(image, "shape") and all(isinstance(each, int | np.integer) for each in label)
    return label is None or isinstance(label, int | np.integer) or getattr(label, "ndim", 9) < 2


def _images(given: Any, rows: "Rows") -> list[Tensor | Picture] | None:
    """The images that one object stands for; None if it is no image and no batch of images."""
    match given:
        case str() | Path():
            return [_file(Path(given))]
        case Image.Image():
            return [ImageOps.exif_transpose(given)]  # a copy, turned as files are
        case Tensor():
            return rows.of(given)
        case np.ndarray() if given.dtype == np.uint8:
            return _photographs(given)
        case np.ndarray():
            return rows.of(torch.from_numpy(np.ascontiguousarray(given)))
    return None


class Rows(Enum):
    """What the first axis of a tensor counts, by the number of its axes where one input stands for itself.

    ALL      all inputs of a source: a table [n, f], images [n, c, h, w] or volumes [n, c, d, h, w]; three axes are one image.
    ELEMENT  one element of an iterable: a row [f], a signal [c, t] or an image [c, h, w]; more axes are a batch.
    BATCH    inputs with a label each, of any kind: signals [n, c, t] too.
    """

    ALL = frozenset({3})
    ELEMENT = frozenset({1, 2, 3})
    BATCH = frozenset[int]()  # an empty tuple is no value of an enumeration before Python 3.11.4

    def of(self, inputs: Tensor) -> list[Tensor | Picture]:
        """The single inputs of a tensor.

        Raises:
            TensorError: It is a number, or one axis of numbers where several inputs are expected.
        """
        if inputs.ndim == 0 or (inputs.ndim == 1 and self is not Rows.ELEMENT):
            raise TensorError(
                f"images: expected [n, c, h, w], a table [n, f] or volumes [n, c, d, h, w], got {list(inputs.shape)}; for signals "
                "give list(signals), or labels beside them"
            )
        return list((inputs[None] if inputs.ndim in self.value else inputs).detach().cpu())


def _photographs(pixels: "np.ndarray[Any, np.dtype[np.uint8]]") -> list[Tensor | Picture]:
    single = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    rows = pixels[None] if single else pixels
    if rows.ndim not in (3, 4) or (rows.ndim == 4 and rows.shape[3] not in (1, 3)):
        raise TensorError(
            f"images: expected 8-bit pixels [n, h, w] or [n, h, w, 3], got {list(pixels.shape)}; move the channels last with "
            "images.transpose(0, 2, 3, 1)"
        )
    return list(rows[..., 0] if rows.ndim == 4 and rows.shape[3] == 1 else rows)


def _file(path: Path) -> Path:
    if path.is_dir():
        raise UsageError(f"{path}: expected the path of an image among images, got a folder; give the folder alone")
    return path


def _elements(source: Any, taken: str) -> Iterable[Any]:
    """The elements of an iterable, or of a sequence that has only a length and items, as data sets of torch are."""
    if isinstance(source, Mapping):
        raise UsageError(f"images: expected {taken}, got a mapping with {', '.join(map(str, list(source)[:3]))}")
    if hasattr(source, "__iter__"):
        return cast(Iterable[Any], source)
    if hasattr(source, "__len__") and hasattr(source, "__getitem__"):
        return (source[index] for index in range(len(source)))
    raise UsageError(f"images: expected {taken}, got {_kind(source)}")


def _check_tensors(tensors: tuple[Tensor, ...]) -> None:
    if not tensors:
        return
    if not tensors[0].is_floating_point():
        raise TensorError(
            f"images: expected floating-point images in the network's units, got {tensors[0].dtype}; use images.float() / 255 for "
            "a network of pixels in [0, 1]"
        )
    shape = tensors[0].shape
    if len(shape) == 3 and shape[2] in (1, 3) and shape[0] not in (1, 3):
        raise TensorError(
            f"images: expected [n, c, h, w], channels first, got {[len(tensors), *tensors[0].shape]}; use "
            "images.permute(0, 3, 1, 2), or images.movedim(-1, -3) of each"
        )
    other = next((image for image in tensors if image.shape != tensors[0].shape or image.dtype != tensors[0].dtype), None)
    if other is not None:
        raise TensorError(
            f"images: expected one shape and type, {list(tensors[0].shape)} and {tensors[0].dtype}, got {list(other.shape)} and "
            f"{other.dtype} too; resize and crop them alike"
        )


def _label(label: Any) -> int:
    if label is None:
        return -1
    value = label.item() if hasattr(label, "item") else label
    if isinstance(value, bool) or not isinstance(value, int):
        raise TensorError(f"labels: expected the number of a class, got {label!r}; give whole numbers from 0")
    return value


def _kind(given: Any) -> str:
    return f"{type(given).__module__}.{type(given).__qualname__}".removeprefix("builtins.")
