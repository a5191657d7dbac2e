"""Share of a data set that a model gets right."""

import torch

from heatproof.core.errors import DataError, ModelError
from heatproof.data.base import Dataset
from heatproof.data.labels import check_classes, class_indices, relabelled
from heatproof.data.loading import load
from heatproof.models.model import Model
from heatproof.training.fit import share_right

_AT_ONCE = 512
"""Images in memory at a time."""


def accuracy(model: Model, dataset: Dataset) -> float:
    """Share of the images whose first choice is their label: the test accuracy, if the set was not trained on.

    Raises:
        ImageRefused: the first image that cannot be used.
        DataError: an image has no label, or the data set has class names that the network does not have.
        ModelError: the model does not know how its images are prepared.
    """
    if model.preprocessing is None:
        raise ModelError(f"{model.name}: expected a model with `preprocessing`, got none; set it with model.with_(preprocessing=…)")
    check_classes(dataset.class_names, model.class_names, f"accuracy of {model.name} on {dataset.name}")
    items = relabelled(dataset.items(), class_indices(dataset.class_names, model.class_names))
    unlabelled = [item.name for item in items if item.label < 0]
    if unlabelled:
        raise DataError(f"{dataset.name}: expected a label for every image, {unlabelled[0]} has none; give the set its labels")
    right = 0.0
    with model.running():
        for start in range(0, len(items), _AT_ONCE):
            loaded = load(dataset, items[start : start + _AT_ONCE], model.preprocessing)
            if loaded.refused:
                raise loaded.refused[0]
            labels = torch.tensor([item.label for item in loaded.items], device=model.device)
            images = loaded.images.to(model.device, model.dtype)
            right += share_right(model.outputs, images, labels) * len(images)
    return right / len(items)
