"""The images of a labelled data set as a network takes them, with their labels."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.core.errors import DataError, ModelError
from heatproof.data.base import Dataset, Item
from heatproof.data.loading import load
from heatproof.models.model import Model


def labelled_images(dataset: Dataset, items: list[Item], model: Model) -> tuple[Float[Tensor, "n c h w"], Int[Tensor, " n"]]:
    """All images, in memory.

    Raises:
        DataError: An image has no label.
        ModelError: The network does not know how a photograph becomes an input.
        ImageRefused: An image cannot be used.
    """
    unlabelled = [item.name for item in items if item.label < 0]
    if unlabelled:
        raise DataError(f"{dataset.name}: expected a label for every image, {unlabelled[0]} has none; give the set its labels")
    if model.preprocessing is None:
        raise ModelError(f"{model.name}: expected an architecture with `preprocessing`, got none; give `preprocessing`")
    loaded = load(dataset, items, model.preprocessing)
    if loaded.refused:
        raise loaded.refused[0]
    return loaded.images.to(model.dtype), torch.tensor([item.label for item in items])
