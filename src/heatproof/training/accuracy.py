"""The accuracy of a model on a data set."""

from heatproof.data.base import Dataset
from heatproof.data.labels import check_classes, class_indices, relabelled
from heatproof.models.classes import decision
from heatproof.models.model import Model
from heatproof.training.examples import example_images, labels_of
from heatproof.training.supervision import Supervision

_AT_ONCE = 256
"""The number of images in memory at a time."""


def accuracy(model: Model, dataset: Dataset) -> float:
    """The share of the images for which the network decides for their label, or the share of the variance of a quantity that it
    explains (R²): the test accuracy, if the model was not trained on the set.

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
    check_classes(dataset.class_names, model.class_names, f"accuracy of {model.name} on {dataset.name}")
    items = relabelled(dataset.items(), class_indices(dataset.class_names, model.class_names))
    labels = labels_of(dataset, items).to(model.device)
    supervision = Supervision(labels)
    credit = 0.0
    with model.running():
        for start in range(0, len(items), _AT_ONCE):
            outputs = model.outputs(example_images(dataset, items[start : start + _AT_ONCE], model).to(model.device))
            some = labels[start : start + _AT_ONCE]
            each = supervision.credit(outputs, some) if supervision.quantity else decision(model, outputs) == some
            credit += float(each.double().sum())
    return credit / len(items)
