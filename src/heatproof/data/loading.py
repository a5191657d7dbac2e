"""Items → one batch of tensors, and where their objects lie; refused images are handed back, so that a run goes on without."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from heatproof.core.errors import ImageRefused, TensorError
from heatproof.data.base import Dataset, Item

Preprocess = Callable[[Image.Image], Tensor]
CropRegion = Callable[[Image.Image | None], Tensor]


@dataclass(frozen=True)
class LoadedImages:
    """Images `[n, c, h, w]` in model space, the items they came from in the same order, and what was refused.

    When every image is refused, `images` is `[0, 0, 0, 0]`.
    """

    images: Float[Tensor, "n c h w"]
    items: tuple[Item, ...]
    refused: tuple[ImageRefused, ...]


def load(dataset: Dataset, items: Sequence[Item], preprocess: Preprocess) -> LoadedImages:
    """Open and preprocess the items.

    `preprocess` takes a decoded image (`L` or `RGB`) to a floating tensor `[c, h, w]`; a model's `preprocessing` is one.

    Raises:
        TensorError: `preprocess` returns something else, or differing shapes.
    """
    tensors: list[Tensor] = []
    kept: list[Item] = []
    refused: list[ImageRefused] = []
    for item in items:
        try:
            tensor = _prepare(dataset.open(item), item, preprocess)
        except ImageRefused as refusal:
            refused.append(refusal)
            continue
        if tensors and tensor.shape != tensors[0].shape:
            raise TensorError(
                f"{item.name}: expected the shape of the images before, {list(tensors[0].shape)}, got {list(tensor.shape)}; "
                "let preprocess resize, crop and set the channels"
            )
        tensors.append(tensor)
        kept.append(item)
    return LoadedImages(torch.stack(tensors) if tensors else torch.zeros(0, 0, 0, 0), tuple(kept), tuple(refused))


def load_images(
    source: Dataset | str | Mapping[str, Any], preprocess: Preprocess, *, count: int | None = None
) -> Float[Tensor, "n c h w"]:
    """Images of a set as one batch, in model space: `load_images("photos", model.preprocessing, count=4)`.

    Args:
        source: a data set, its name, or a table of its settings.
        preprocess: takes a decoded image to a tensor; a model's `preprocessing` is one.
        count: the first so many items; None = as many as the set says.

    Raises:
        ImageRefused: The first image that cannot be used. `load` hands refused images back instead.
        DataError: The set is missing or empty.
    """
    dataset = source if isinstance(source, Dataset) else Dataset.from_dict(source)
    loaded = load(dataset, dataset.items()[:count], preprocess)
    if loaded.refused:
        raise loaded.refused[0]
    return loaded.images


def load_regions(
    source: Dataset | str | Mapping[str, Any],
    crop: CropRegion,
    *,
    items: Sequence[Item] | None = None,
    count: int | None = None,
) -> Float[Tensor, "n h w"]:
    """Where the objects of a set lie, in what the network sees: 1 inside, 0 outside, NaN all over where an image has no region.

    `load_regions("photos", model.preprocessing.region, count=4)` belongs to the images that `load_images` gives.

    Args:
        source: a data set, its name, or a table of its settings.
        crop: takes a region, or None, to a tensor `[h, w]`, as the image was resized and cropped.
        items: whose regions; None = the items of the set.
        count: the first so many items; None = as many as there are.

    Raises:
        ImageRefused: A mask that cannot be used.
        DataError: The set is missing or empty.
    """
    dataset = source if isinstance(source, Dataset) else Dataset.from_dict(source)
    chosen = dataset.items() if items is None else items
    return torch.stack([crop(dataset.region(item)) for item in chosen[:count]])


def _prepare(image: Image.Image, item: Item, preprocess: Preprocess) -> Tensor:
    tensor = preprocess(image)
    if not isinstance(tensor, Tensor) or tensor.ndim != 3 or not tensor.is_floating_point():
        got = f"{tensor.dtype} {list(tensor.shape)}" if isinstance(tensor, Tensor) else type(tensor).__name__
        raise TensorError(f"{item.name}: expected preprocess to return a floating tensor [c, h, w], got {got}")
    if not bool(tensor.isfinite().all()):
        raise ImageRefused(item.name, "NaN or infinite values after preprocessing; look at the mean and std of the preprocessing")
    return tensor
