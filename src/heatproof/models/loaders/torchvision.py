"""A classification network of torchvision, with trained or random weights."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from pydantic import NonNegativeInt, PositiveInt, field_validator, model_validator

from heatproof.core.errors import ModelError, UnknownNameError, WeightsMissing
from heatproof.models.loaders.base import Loader
from heatproof.models.loaders.construction import import_package, seeded, without_inplace
from heatproof.models.model import Model
from heatproof.models.preprocessing import Preprocessing


class Torchvision(Loader):
    """A network of `torchvision.models`, by the name of its architecture.

    For example, `Torchvision(architecture="resnet18").load()`. torchvision keeps trained weights in a cache of its own and
    downloads missing ones.

    architecture   the name.
    weights        "DEFAULT", a name such as "IMAGENET1K_V1", or None for random weights (in a file, which cannot contain None,
                   "random").
    seed           the seed of random weights.
    classes        the number of outputs of a network with random weights.
    preprocessing  how a photograph becomes an input, which replaces the one that the weights were trained with (for random weights:
                   the one of the default weights).
    """

    shorthand: ClassVar[str] = "architecture"

    architecture: str
    weights: str | None = "DEFAULT"
    seed: NonNegativeInt = 0
    classes: PositiveInt | None = None
    preprocessing: Preprocessing | None = None

    @field_validator("weights")
    @classmethod
    def _random_is_none(cls, weights: str | None) -> str | None:
        return None if weights == "random" else weights

    @model_validator(mode="after")
    def _seed_and_classes_need_random_weights(self) -> Self:
        if self.weights is not None and (self.seed or self.classes):
            raise ValueError(
                f"seed and classes are for random weights, got weights {self.weights!r}; set weights to random or leave them out"
            )
        return self

    @property
    def random(self) -> bool:
        return self.weights is None

    @property
    def is_local(self) -> bool:
        if self.weights is None:
            return True
        if find_spec("torchvision") is None:
            return False
        models = import_package("torchvision.models")
        url = str(self._entry(models.get_model_weights(self.architecture)).url)
        return (Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]).exists()

    @classmethod
    def offers(cls, architecture: str) -> bool:
        return find_spec("torchvision") is not None and architecture in _architectures()

    def load(self) -> Model:
        models = import_package("torchvision.models")
        known = _architectures()
        if self.architecture not in known:
            raise UnknownNameError("torchvision architecture", self.architecture, known)
        choices = models.get_model_weights(self.architecture)
        entry = choices.DEFAULT if self.weights is None else self._entry(choices)
        preprocessing = self.preprocessing or _preprocessing(entry.transforms(), self.architecture)
        module = self._random(models) if self.weights is None else _trained(models, self.architecture, entry)
        return Model(
            without_inplace(module),
            preprocessing.bounds,
            class_names=() if self.weights is None else tuple(entry.meta["categories"]),
            preprocessing=preprocessing,
            name=f"{self.name}:{self.architecture}" + (" (random weights)" if self.random else ""),
        )

    def _entry(self, choices: Any) -> Any:
        if self.weights not in choices.__members__:
            raise UnknownNameError(f"set of weights of {self.architecture}", str(self.weights), list(choices.__members__))
        return choices[self.weights]

    def _random(self, models: Any) -> Any:
        extra = {} if self.classes is None else {"num_classes": self.classes}
        with seeded(self.seed):
            return models.get_model(self.architecture, weights=None, **extra)


def _architectures() -> list[str]:
    models = import_package("torchvision.models")
    return list(models.list_models(module=models))


def _trained(models: Any, architecture: str, entry: Any) -> Any:
    try:
        with seeded(0):  # the random weights that the trained ones replace must not touch the caller's random state
            return models.get_model(architecture, weights=entry, progress=False)
    except (OSError, RuntimeError) as error:  # no network, no space, or a torn download
        folder = f"{torch.hub.get_dir()}/checkpoints"
        raise WeightsMissing(
            f"{architecture}: the weights {entry.name} could not be fetched ({error}); "
            f"run: curl --create-dirs -O --output-dir {folder} {entry.url}"
        ) from error


def _preprocessing(transforms: Any, architecture: str) -> Preprocessing:
    interpolation = transforms.interpolation.value
    if interpolation not in ("nearest", "bilinear", "bicubic"):
        raise ModelError(
            f"{architecture}: its weights want {interpolation} resizing, which is not known here; give `preprocessing`"
        )
    return Preprocessing(
        side=transforms.crop_size[0],
        resize=transforms.resize_size[0],
        interpolation=interpolation,
        mean=tuple(transforms.mean),
        std=tuple(transforms.std),
    )
