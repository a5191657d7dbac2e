"""Data randomisation: the similarity of a map to the map of a network that was trained on meaningless labels.

    value = similarity(A(x; θ), A(x; θ'))

A(x; θ) is the map of image x for the network with weights θ. The weights θ' belong to the same architecture, trained on the same
images with permuted labels until it has memorised them. What the maps have in common comes from the images and the architecture. A
low similarity is no merit by itself. Two networks that are trained on the same labels from two starting points differ too; they are
the control to compare with.

Cost: 1 further map. The other network is trained once and cached.
Source: Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018.
"""

from copy import deepcopy
from functools import lru_cache
from typing import ClassVar, Literal

from torch import Tensor

from heatproof.core.errors import ModelError
from heatproof.core.records import Direction
from heatproof.metrics.comparison import ComparingMetric
from heatproof.metrics.explain import Explain
from heatproof.metrics.scores import Scores, without_broken
from heatproof.models.loaders.base import Loader
from heatproof.models.model import Model
from heatproof.passes.counting import ImageShape


class DataRandomisation(ComparingMetric):
    """Similarity to the map of a network that was trained on other labels.

    other  The loader of the other network. None trains the architecture of a `trained` network on a thousand of its images with
           permuted labels; loading fails unless the network has memorised these labels.

    >>> import torch
    >>> from heatproof.methods import EdgeMap
    >>> from heatproof.metrics import DataRandomisation, score
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> other = Toy(architecture="cnn", width=0.1, seed=1)
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> score(DataRandomisation(other=other), model, images, EdgeMap()).values
    tensor([1., 1.])
    """

    label: ClassVar[str] = "data randomisation"
    meaning: ClassVar[str] = "Similarity to the map of a network that was trained on permuted labels; 1 = the labels do not matter."
    better: ClassVar[Direction] = Direction.LOWER
    cite: ClassVar[str] = "Adebayo et al., NeurIPS 2018"

    entries: Literal["signed", "absolute"] = "absolute"
    other: Loader | None = None

    def explanations(self, stochastic: bool = True) -> int:
        return 1

    def price(self, image_shape: ImageShape) -> str:
        return "1 more map; the other network is trained once"

    def measure(self, model: Model, images: Tensor, target: Tensor, explain: Explain, seed: int) -> Scores:
        other = self._other(model)
        if model.preprocessing is not None and model.preprocessing != other.preprocessing:
            raise ModelError(
                f"{other.name}: expected a network that takes the images of {model.name}, {model.preprocessing}, "
                f"got one for {other.preprocessing}; train the same architecture"
            )
        other = other.with_(output=model.output, class_names=model.class_names)  # the same classes
        maps = [explain(images, target, seed).values, explain(images, target, seed, other).values]
        return without_broken(Scores.of(self.compare(maps[0], maps[1]), missing=self.undefined), *maps)

    def check_fits(self, model: Model, image_shape: ImageShape) -> None:
        if self.other is None and model.memorised is None:
            raise ModelError(
                f"{model.name}: expected a network that was trained here, or one to compare with, got neither; "
                "give `other`, such as a `trained` loader with labels permuted"
            )

    def _other(self, model: Model) -> Model:
        self.check_fits(model, ())
        other = model.memorised() if self.other is None else _loaded(self.other.model_dump_json())  # type: ignore[misc]
        if (other.device, other.dtype) == (model.device, model.dtype):
            return other
        return other.with_(module=deepcopy(other.module).to(device=model.device, dtype=model.dtype))  # the loaded one is shared


@lru_cache(maxsize=2)
def _loaded(settings: str) -> Model:
    return Loader.model_validate_json(settings).load()
