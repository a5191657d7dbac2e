"""Model contrast score: how much more a map shows the object for a network that must use it than for one that need not.

    MCS = g(A_f) − g(A_f′),    g(A) = mean of Â over the object

A_f is the map of an image with an object before a scene for network f, which was trained to name the object, and A_f′ that of the
same image for network f′, which was trained to name the scene. Â is the positive part of the map, summed over channels and scaled
so that its minimum is 0 and its 99th percentile is 1; larger values are clipped. The map of each network is that of the class that
the network predicts, or of the class that the experiment asks for in the case of f. A map that is the object for f and zero for f′
scores 1; a map that ignores the network scores 0, however well it shows the object; exchanging the networks changes the sign.

Cost: 1 further map. The forward pass that decides the class of f′ is not counted.
Source: Yang & Kim, "Benchmarking attribution methods with relative feature importance", 2019.
Differs from the paper because images that a network misclassifies are not left out, since labels are not needed; because a map
whose 99th percentile is its minimum is scaled by its maximum, and a constant map is 0; and because masks are cropped with the image
rather than resized to a box.
"""

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from heatproof.core.errors import ModelError
from heatproof.core.records import Direction, Reduction
from heatproof.metrics.explain import Explain
from heatproof.metrics.scores import Scores, without_broken
from heatproof.metrics.truth_metric import TruthMetric, object_share, other_network, own_decision
from heatproof.models.loaders.base import Loader
from heatproof.models.model import Model
from heatproof.passes.counting import ImageShape


class ModelContrast(TruthMetric):
    """How much more the map shows the object than the map of a network that was trained to name the scene.

    other  The loader of the network that names the scene, for images of the same preprocessing.

    >>> import torch
    >>> import heatproof as hp
    >>> from heatproof.models.loaders import Toy
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 784).view(1, 1, 28, 28)
    >>> region = torch.zeros(1, 28, 28)
    >>> region[:, 20:, 20:] = 1
    >>> metric = hp.metrics.ModelContrast(other=Toy(architecture="cnn", width=0.1, seed=1))
    >>> hp.score(metric, model, images, "edge_map", regions=region).values
    tensor([0.])
    """

    label: ClassVar[str] = "model contrast"
    title: ClassVar[str] = "model contrast score"
    meaning: ClassVar[str] = "How much more the map shows the object than for a network of the scene; 0 = networks do not matter."
    better: ClassVar[Direction] = Direction.HIGHER
    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    reduction: ClassVar[Reduction] = Reduction.NONE
    scale_invariant: ClassVar[bool] = True
    component_meanings: ClassVar[Mapping[str, str]] = {
        "object": "object: mean of the scaled map over the object, for the network of objects",
        "scene": "scene: the same for the network of scenes",
    }
    cite: ClassVar[str] = "Yang & Kim 2019"

    other: Loader | None = None

    def explanations(self, stochastic: bool = True) -> int:
        return 1

    def check_fits(self, model: Model, image_shape: ImageShape) -> None:
        if self.other is None:
            raise ModelError(
                f"{self.name}: expected `other`, the loader of a network that names the scene, got none; give it, such as a "
                "`trained` network of mini_bam with label = scene"
            )

    def measure_truth(
        self, model: Model, images: Tensor, target: Tensor, explain: Explain, inside: Tensor, scenes: Tensor, seed: int
    ) -> Scores:
        self.check_fits(model, tuple(images.shape[1:]))
        other = other_network(self.other, model)  # type: ignore[arg-type]  # checked above
        maps = [explain(images, target, seed).values, explain(images, own_decision(other, images), seed, other).values]
        shown, by_other = (object_share(each, inside, self.name) for each in maps)
        scores = Scores.of(shown - by_other, components={"object": shown, "scene": by_other})
        return without_broken(scores, *maps)
