"""The examples of a data set as a network takes them, with their labels: classes, or the values of a quantity."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from heatproof.core.errors import DataError, ModelError
from heatproof.data.base import Dataset, Item
from heatproof.data.loading import load
from heatproof.models.model import Model


def labelled_images(dataset: Dataset, items: list[Item], model: Model) -> tuple[Float[Tensor, "n c *space"], Shaped[Tensor, " n"]]:
    """All examples, in memory, each with its class, or with its value where the set has a quantity.

    Raises:
        DataError: An example has no label, or no value.
        ModelError: The network does not know how a photograph becomes an input, and the set holds no tensors.
        ImageRefused: An example cannot be used.
    """
    labels = labels_of(dataset, items)
    return example_images(dataset, items, model), labels


def labels_of(dataset: Dataset, items: list[Item]) -> Shaped[Tensor, " n"]:
    """The class of each item, as whole numbers; or its value, as a floating-point number, where the set has a quantity.

    Raises:
        DataError: An item has none.
    """
    labels = [item.value if dataset.quantity else item.label if item.label >= 0 else None for item in items]
    if None in labels:
        name = items[labels.index(None)].name
        raise DataError(f"{dataset.name}: expected a label for every image, {name} has none; give the set its labels")
    return torch.tensor(labels)


def example_images(dataset: Dataset, items: list[Item], model: Model) -> Float[Tensor, "n c *space"]:
    """The items as the network takes them.

    Raises:
        ModelError: The network does not know how a photograph becomes an input, and the set holds no tensors.
        ImageRefused: An item cannot be used.
    """
    is_tensors = dataset.image_shape is not None
    if model.preprocessing is None and not is_tensors:
        raise ModelError(
            f"{model.name}: expected a model with `preprocessing`, got none; give its loader or the model `preprocessing`"
        )
    loaded = load(dataset, items, None if is_tensors else model.preprocessing)
    if loaded.refused:
        raise loaded.refused[0]
    return loaded.images.to(model.dtype)
