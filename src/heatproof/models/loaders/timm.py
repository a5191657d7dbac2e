"""A network of timm, with trained or random weights."""

import math
from importlib.util import find_spec
from typing import Any, ClassVar, Self

from pydantic import NonNegativeInt, PositiveInt, model_validator

from heatproof.core.errors import ModelError, UnknownNameError, WeightsMissing
from heatproof.models.loaders.base import Loader
from heatproof.models.loaders.construction import import_package, seeded, without_inplace
from heatproof.models.loaders.imagenet import imagenet_classes
from heatproof.models.model import Model
from heatproof.models.preprocessing import Preprocessing

_IMAGENET = 1000
"""The number of outputs by which timm itself takes a trained network for one of ImageNet-1k."""


class Timm(Loader):
    """A network of `timm.create_model`, by the name of its architecture.

    For example, `Timm(architecture="vit_tiny_patch16_224.augreg_in21k_ft_in1k").load()`.

    architecture   the name, with or without a tag.
    pretrained     whether the weights are trained, from the cache of timm, which downloads missing ones; otherwise they are random.
    seed           the seed of random weights.
    classes        the number of outputs of a network with random weights.
    preprocessing  how a photograph becomes an input, which replaces what timm has on record.
    """

    shorthand: ClassVar[str] = "architecture"

    architecture: str
    pretrained: bool = True
    seed: NonNegativeInt = 0
    classes: PositiveInt | None = None
    preprocessing: Preprocessing | None = None

    @model_validator(mode="after")
    def _seed_and_classes_need_random_weights(self) -> Self:
        if self.pretrained and (self.seed or self.classes):
            raise ValueError("seed and classes are for random weights; set pretrained to false or leave them out")
        return self

    @property
    def random(self) -> bool:
        return not self.pretrained

    @classmethod
    def offers(cls, architecture: str) -> bool:
        return find_spec("timm") is not None and bool(import_package("timm").is_model(architecture))

    def load(self) -> Model:
        timm = import_package("timm")
        if not timm.is_model(self.architecture):
            raise UnknownNameError("timm architecture", self.architecture, timm.list_models())
        module = self._build(timm)
        preprocessing = self.preprocessing or _preprocessing(timm.data.resolve_model_data_config(module), self.architecture)
        return Model(
            without_inplace(module),
            preprocessing.bounds,
            class_names=imagenet_classes() if self.pretrained and module.num_classes == _IMAGENET else (),
            preprocessing=preprocessing,
            name=f"{self.name}:{self.architecture}" + (" (random weights)" if self.random else ""),
        )

    def _build(self, timm: Any) -> Any:
        extra = {} if self.classes is None else {"num_classes": self.classes}
        try:
            with seeded(self.seed):
                return timm.create_model(self.architecture, pretrained=self.pretrained, **extra)
        except (OSError, RuntimeError) as error:
            if not self.pretrained:
                raise ModelError(f"{self.architecture}: timm could not build it ({error}); choose another architecture") from error
            raise WeightsMissing(
                f"{self.architecture}: timm could not load it ({error}); on a machine with a network run: "
                f"python -c \"import timm; timm.create_model('{self.architecture}', pretrained=True)\" "
                "and copy its Hugging Face cache here"
            ) from error


def _preprocessing(record: dict[str, Any], architecture: str) -> Preprocessing:
    _, height, width = record["input_size"]
    known = record["interpolation"] in ("nearest", "bilinear", "bicubic") and record["crop_mode"] == "center"
    if height != width or not known:
        raise ModelError(
            f"{architecture}: expected a square input and a plain centre crop, got {height} × {width}, {record['crop_mode']} crop, "
            f"{record['interpolation']} resizing; give `preprocessing`"
        )
    return Preprocessing(
        side=height,
        resize=math.floor(height / record["crop_pct"]),
        interpolation=record["interpolation"],
        mean=tuple(record["mean"]),
        std=tuple(record["std"]),
    )
