"""The accuracy of a model on a data set."""

import torch

from heatproof.core.errors import DataError, ModelError
from heatproof.data.base import Dataset
from heatproof.data.labels import check_classes, class_indices, relabelled
from heatproof.data.loading import load
from heatproof.models.classes import decision
from heatproof.models.model import Model
from heatproof.training.fit import share_correct

_AT_ONCE = 512
"""The number of images in memory at a time."""


def accuracy(model: Model, dataset: Dataset) -> float:
    """The share of the images for which the network decides for their label: the test accuracy, if the model was not trained on the
    set.

    Where the data set and the model both have class names, labels are matched by name (see `data/labels.py`).

    Raises:
        ImageRefused: An image cannot be used.
        DataError: An image has no label, or the data set has class names that the network does not have.
        ModelError: The model has no preprocessing.

    >>> import numpy as np
    >>> from heatproof.data import Arrays
    >>> from heatproof.models.loaders import Toy
    >>> from heatproof.training import accuracy
    >>> np.savez("black.npz", X_test=np.zeros((4, 28, 28), dtype=np.uint8), y_test=np.arange(4))
    >>> accuracy(Toy(architecture="mlp", classes=4, width=0.01).load(), Arrays(path="black.npz", classes=""))
    0.25
    """
    if model.preprocessing is None and dataset.image_shape is None:
        raise ModelError(f"{model.name}: expected a model with `preprocessing`, got none; set it with model.with_(preprocessing=…)")
    check_classes(dataset.class_names, model.class_names, f"accuracy of {model.name} on {dataset.name}")
    items = relabelled(dataset.items(), class_indices(dataset.class_names, model.class_names))
    unlabelled = [item.name for item in items if item.label < 0]
    if unlabelled:
        raise DataError(f"{dataset.name}: expected a label for every image, {unlabelled[0]} has none; give the set its labels")
    correct = 0.0
    with model.running():
        for start in range(0, len(items), _AT_ONCE):
            preprocess = None if dataset.image_shape is not None else model.preprocessing
            loaded = load(dataset, items[start : start + _AT_ONCE], preprocess)
            if loaded.refused:
                raise loaded.refused[0]
            labels = torch.tensor([item.label for item in loaded.items], device=model.device)
            images = loaded.images.to(model.device, model.dtype)
            correct += share_correct(lambda batch: decision(model, model.outputs(batch)), images, labels) * len(images)
    return correct / len(items)
