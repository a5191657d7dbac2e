"""Items as one batch of tensors, and the regions of their objects. Refused images are returned, so that a run can continue without
them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from heatproof.core.errors import ImageRefused, TensorError
from heatproof.data.base import CropRegion, Dataset, Item, Preprocess
from heatproof.data.sources import pictures


@dataclass(frozen=True)
class LoadedImages:
    """Images `[n, c, h, w]` in model space, their items in the same order, and the refusals of the other images.

    If every image is refused, `images` is `[0, 0, 0, 0]`.
    """

    images: Float[Tensor, "n c h w"]
    items: tuple[Item, ...]
    refused: tuple[ImageRefused, ...]


def load(dataset: Dataset, items: Sequence[Item], preprocess: Preprocess | None) -> LoadedImages:
    """Open and preprocess the items.

    Args:
        dataset: the data set of the items.
        items: the images to load.
        preprocess: maps a decoded image (`L` or `RGB`) to a floating tensor `[c, h, w]`, such as the `preprocessing` of a model;
            None for a set of tensors, which need none.

    Raises:
        TensorError: `preprocess` returns anything else, or tensors of differing shapes.

    >>> from heatproof.data import Photos, load
    >>> from heatproof.models.loaders import Toy
    >>> photos = Photos()
    >>> loaded = load(photos, photos.items()[:2], Toy().load().preprocessing)
    >>> loaded.images.shape, [item.name for item in loaded.items], loaded.refused
    (torch.Size([2, 1, 28, 28]), ['panda.jpg', 'dog.jpg'], ())
    """
    tensors: list[Tensor] = []
    loaded: list[Item] = []
    refused: list[ImageRefused] = []
    for item in items:
        try:
            tensor = _checked(dataset.tensor(item, preprocess), item, dataset.image_shape)
        except ImageRefused as refusal:
            refused.append(refusal)
            continue
        if tensors and tensor.shape != tensors[0].shape:
            raise TensorError(
                f"{item.name}: expected the shape of the images before, {list(tensors[0].shape)}, got {list(tensor.shape)}; "
                "let preprocess resize, crop and set the channels"
            )
        tensors.append(tensor)
        loaded.append(item)
    return LoadedImages(torch.stack(tensors) if tensors else torch.zeros(0, 0, 0, 0), tuple(loaded), tuple(refused))


def load_images(source: Any, preprocess: Preprocess, *, count: int | None = None) -> Float[Tensor, "n c h w"]:
    """Photographs as one batch, in model space.

    Args:
        source: a data set, its name, or a table of its settings; the path of an image, of a folder of images or of a folder with
            one folder for each class; a PIL image; a numpy array of 8-bit pixels, `[h, w]`, `[h, w, 3]` or `[n, h, w, 3]`; or a
            sequence of paths, PIL images or arrays.
        preprocess: maps a decoded image to a tensor, such as the `preprocessing` of a model.
        count: the number of images, taken from the start; None = all of the set.

    Raises:
        ImageRefused: An image cannot be used. (`load` returns refusals instead.)
        DataError: The set is missing or empty.
        UsageError: The source is something else, such as a tensor or an array of floating-point numbers.

    >>> from heatproof.data import load_images
    >>> from heatproof.models.loaders import Toy
    >>> load_images("photos", Toy().load().preprocessing, count=4).shape
    torch.Size([4, 1, 28, 28])
    >>> import numpy as np
    >>> load_images(np.zeros((2, 60, 80, 3), dtype=np.uint8), Toy().load().preprocessing).shape
    torch.Size([2, 1, 28, 28])
    """
    with pictures(source) as dataset:
        loaded = load(dataset, dataset.items()[:count], preprocess)
    if loaded.refused:
        raise loaded.refused[0]
    return loaded.images


def load_regions(
    source: Dataset | str | Mapping[str, Any],
    crop: CropRegion | None,
    *,
    items: Sequence[Item] | None = None,
    count: int | None = None,
) -> Float[Tensor, "n h w"]:
    """The regions of the objects, as the network sees the images: 1 inside, 0 outside, NaN everywhere if an image has no region.

    Args:
        source: a data set, its name, or a table of its settings.
        crop: maps a region, or None, to a tensor `[h, w]`, resized and cropped as the image was, such as `preprocessing.region`.
        items: the items whose regions are loaded; None = the items of the set.
        count: the number of items, taken from the start; None = all.

    Raises:
        ImageRefused: A mask cannot be used.
        DataError: The set is missing or empty.

    >>> from heatproof.data import load_regions
    >>> from heatproof.models.loaders import Toy
    >>> load_regions("photos", Toy().load().preprocessing.region, count=4).shape
    torch.Size([4, 28, 28])
    """
    dataset = source if isinstance(source, Dataset) else Dataset.from_dict(source)
    chosen = dataset.items() if items is None else items
    return torch.stack([dataset.region_tensor(item, crop) for item in chosen[:count]])


def load_scenes(
    dataset: Dataset, items: Sequence[Item], preprocess: Preprocess | None, like: Float[Tensor, "n c *space"]
) -> Float[Tensor, "n c *space"]:
    """The images without their objects, as the network takes them; NaN everywhere where the set does not know it.

    Args:
        dataset: the data set of the items.
        items: the images.
        preprocess: maps a decoded image to a tensor; None for a set of tensors.
        like: the images with their objects, in the same order, whose shape and type the result has.

    Raises:
        ImageRefused: An image cannot be used.

    >>> from heatproof.data import MiniBam, load, load_scenes
    >>> from heatproof.models.loaders import Toy
    >>> data, preprocess = MiniBam(objects="photographs", count=2), Toy(channels=3).load().preprocessing
    >>> images = load(data, data.items(), preprocess).images
    >>> load_scenes(data, data.items(), preprocess, images).shape
    torch.Size([2, 3, 28, 28])
    """
    found = (dataset.scene_tensor(item, preprocess) for item in items)
    unknown = torch.full_like(like[0], torch.nan)
    return torch.stack([unknown if scene is None else scene.to(like) for scene in found])


def _checked(tensor: Any, item: Item, shape: tuple[int, ...] | None) -> Tensor:
    """Tensors of a set of tensors may be rows of a table, signals or volumes; a photograph becomes an image."""
    axes = 3 if shape is None else len(shape)
    if not isinstance(tensor, Tensor) or tensor.ndim != axes or not tensor.is_floating_point():
        got = f"{tensor.dtype} {list(tensor.shape)}" if isinstance(tensor, Tensor) else type(tensor).__name__
        raise TensorError(f"{item.name}: expected preprocess to return a floating tensor [c, h, w], got {got}")
    if not bool(tensor.isfinite().all()):
        raise ImageRefused(item.name, "NaN or infinite values after preprocessing; look at the mean and std of the preprocessing")
    return tensor
