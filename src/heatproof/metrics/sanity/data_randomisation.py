"""Data randomisation: how much of a map is left when the network has learnt labels that mean nothing.

    value = similarity(A(x; θ), A(x; θ'))

θ' are the weights of the same architecture, trained on the same images with their labels permuted until it knows them by heart.
What is left says what the map owes to the images and the architecture. As with new weights, a low similarity is no merit by itself;
two networks trained on the same labels from two starts differ too, and are the control to compare with.

Cost: one further map; the other network is trained once and kept.
Source: Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018.
"""

from functools import lru_cache
from typing import ClassVar, Literal

from torch import Tensor

from heatproof.core.errors import ModelError
from heatproof.core.records import Direction
from heatproof.metrics.base import Explain, Scores, without_broken
from heatproof.metrics.comparison import ComparingMetric
from heatproof.models.loaders.base import Loader
from heatproof.models.model import Model
from heatproof.passes.counting import ImageShape


class DataRandomisation(ComparingMetric):
    """Similarity to the map of a network that was trained on other labels.

    other   that network; None = what a `trained` network says of itself: the same architecture, on a thousand of its images, their
            labels permuted. It refuses to load unless it has learnt them by heart.
    """

    label: ClassVar[str] = "data randomisation"
    meaning: ClassVar[str] = "Similarity to the map of a network trained on permuted labels; near that of noise = depends on them."
    better: ClassVar[Direction] = Direction.LOWER
    cite: ClassVar[str] = "Adebayo et al., NeurIPS 2018"

    entries: Literal["signed", "absolute"] = "absolute"
    other: Loader | None = None

    def explanations(self, stochastic: bool = True) -> int:
        return 1

    def price(self, image_shape: ImageShape) -> str:
        return "one more map; the other network is trained once"

    def measure(self, model: Model, images: Tensor, target: Tensor, explain: Explain, seed: int) -> Scores:
        other = self._other(model)
        if model.preprocessing is not None and model.preprocessing != other.preprocessing:
            raise ModelError(
                f"{other.name}: expected a network that takes the images of {model.name}, {model.preprocessing}, "
                f"got one for {other.preprocessing}; train the same architecture"
            )
        maps = [explain(images, target, seed).values, explain(images, target, seed, other.with_(output=model.output)).values]
        return without_broken(Scores.of(self.compare(maps[0], maps[1]), missing="one of the two maps is constant"), *maps)

    def _other(self, model: Model) -> Model:
        if self.other is None and model.memorised is None:
            raise ModelError(
                f"{model.name}: expected a network that was trained here, or one to compare with, got neither; "
                "give `other`, such as a `trained` loader with labels permuted"
            )
        other = model.memorised() if self.other is None else _loaded(self.other.model_dump_json())  # type: ignore[misc]
        other.module.to(device=model.device, dtype=model.dtype)
        return other


@lru_cache(maxsize=2)
def _loaded(settings: str) -> Model:
    return Loader.model_validate_json(settings).load()
