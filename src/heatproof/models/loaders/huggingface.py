"""An image classification network in the format of Hugging Face transformers, from the hub or from a folder.

No code from the repository is executed. A network whose weights do not cover all of it, such as a backbone without a trained head,
is refused, because transformers would draw the rest at random.
"""

import math
import os
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from heatproof.core.errors import ModelError, WeightsMissing
from heatproof.models.loaders.base import Loader
from heatproof.models.loaders.construction import import_package, seeded, without_inplace
from heatproof.models.model import Model
from heatproof.models.preprocessing import Preprocessing

_INTERPOLATIONS = {0: "nearest", 2: "bilinear", 3: "bicubic"}
"""The names of the numbers of Pillow's filters, which the configuration of a processor contains."""
_CROP_FROM = 384
"""Processors with a crop share (`crop_pct`) crop images only below this side."""


class Huggingface(Loader):
    """A network of transformers that classifies images, with trained weights.

    For example, `Huggingface(repository="google/vit-base-patch16-224").load()`. Where the repository squashes a photograph to a
    square, the central square is cut out instead, so that nothing is stretched.

    repository        a name on the hub, or a folder.
    revision          a branch, a tag or, to pin it, a commit.
    local_files_only  whether downloads are forbidden.
    preprocessing     how a photograph becomes an input, which replaces that of the repository.
    """

    shorthand: ClassVar[str] = "repository"

    repository: str
    revision: str = "main"
    local_files_only: bool = False
    preprocessing: Preprocessing | None = None

    @classmethod
    def offers(cls, architecture: str) -> bool:
        """Whether the name has the form of a repository, and is no path of this machine."""
        return re.fullmatch(r"[\w.-]+/[\w.-]+", architecture) is not None and not os.path.exists(architecture)

    def load(self) -> Model:
        transformers = import_package("transformers")
        module = self._network(transformers)
        preprocessing = self.preprocessing or preprocessing_of(self._processor(transformers), self.repository)
        return Model(
            without_inplace(module),
            preprocessing.bounds,
            class_names=class_names_of(module.config),
            preprocessing=preprocessing,
            name=f"{self.name}:{self.repository}",
        )

    def _network(self, transformers: Any) -> Any:
        automatic = transformers.AutoModelForImageClassification
        try:
            with seeded(0):  # transformers draws random numbers before it fills in the weights
                module, report = automatic.from_pretrained(self.repository, output_loading_info=True, **self._safely())
        except (OSError, ValueError) as error:
            raise self._missing(error) from error
        absent = sorted(report["missing_keys"]) + sorted(str(key) for key in report["mismatched_keys"])
        if absent:
            raise ModelError(
                f"{self.repository}: expected weights for the whole network, {len(absent)} are missing ({', '.join(absent[:3])}); "
                "choose a repository that was trained to classify images"
            )
        return module

    def _processor(self, transformers: Any) -> Any:
        try:
            return transformers.AutoImageProcessor.from_pretrained(self.repository, backend="pil", **self._safely())
        except (OSError, ValueError) as error:
            raise ModelError(
                f"{self.repository}: its preprocessor_config.json cannot be used ({error}); give `preprocessing`"
            ) from error

    def _safely(self) -> dict[str, Any]:
        return {"revision": self.revision, "trust_remote_code": False, "local_files_only": self.local_files_only}

    def _missing(self, error: Exception) -> WeightsMissing:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return WeightsMissing(
            f"{self.repository}: transformers could not load it ({reason}); on a machine with a network run: "
            f"hf download {self.repository} --revision {self.revision} --local-dir FOLDER, and give that folder as `repository`"
        )


def class_names_of(config: Any) -> tuple[str, ...]:
    """The names of the classes in a configuration of transformers; empty where nobody named them."""
    names = [str(name) for _, name in sorted(config.id2label.items())]
    placeholders = [f"LABEL_{index}" for index in range(len(names))]  # what transformers writes then
    return () if names == placeholders else tuple(names)


def preprocessing_of(processor: Any, repository: str) -> Preprocessing:
    """The preprocessing that an image processor of transformers stands for.

    Raises:
        ModelError: It does something that a `Preprocessing` cannot say.
    """
    sizes = _sizes(processor)
    interpolation = _INTERPOLATIONS.get(int(getattr(processor, "resample", 2) or 0))
    factor = getattr(processor, "rescale_factor", 1 / 255)
    plain = getattr(processor, "do_rescale", True) and math.isclose(factor, 1 / 255, rel_tol=1e-6)
    if sizes is None or interpolation is None or not plain:
        raise ModelError(
            f"{repository}: expected a processor with a square input, nearest, bilinear or bicubic resizing "
            f"and pixels scaled by 1/255, got size {getattr(processor, 'size', None)}; give `preprocessing`"
        )
    normal = getattr(processor, "do_normalize", True)
    mean = tuple(processor.image_mean) if normal else (0.0, 0.0, 0.0)
    std = tuple(processor.image_std) if normal else (1.0, 1.0, 1.0)
    side, resize = sizes
    return Preprocessing.from_dict({"side": side, "resize": resize, "interpolation": interpolation, "mean": mean, "std": std})


def _sizes(processor: Any) -> tuple[int, int] | None:
    """The side of the crop and the length of the resized shorter side; None if the input is not square."""
    size = _fields(getattr(processor, "size", None))
    resize = size.get("shortest_edge") or (size.get("height") if size.get("height") == size.get("width") else None)
    if resize is None:
        return None
    share = getattr(processor, "crop_pct", None)
    if share and resize < _CROP_FROM:
        return resize, int(resize / share)
    if not getattr(processor, "do_center_crop", False):
        return resize, resize
    crop = _fields(getattr(processor, "crop_size", None))
    return (crop["height"], resize) if crop.get("height") and crop.get("height") == crop.get("width") else None


def _fields(size: Any) -> dict[str, int]:
    if isinstance(size, int):
        return {"height": size, "width": size}
    pairs = size.items() if isinstance(size, Mapping) else vars(size).items() if hasattr(size, "__dict__") else ()
    return {key: value for key, value in pairs if value is not None}
