"""Input dependence: whether a map attributes less to a place when an object that the network need not use is put there.

    value = 1 if g(A(s)) > g(A(x)),    ½ if they are equal,    0 otherwise

x is the image with the object, and s is the scene without it. A is the map of a network that was trained to name the scene, and g
is its mean over the object, scaled as in `model_contrast`. The mean of the value over images is the published rate, and 1 minus the
rate is the share of false positives: images where the map shows an object that tells the network nothing. The explained class is
the one that the network predicts for the scene alone.

Cost: 2 further maps, whose network's own forward passes are not counted; or 1 further map and 2 forward passes, if the network is
the explained one.
Source: Yang & Kim, "Benchmarking attribution methods with relative feature importance", 2019.
Differs from the paper because equality counts one half, so that a map that ignores the image scores 0.5 rather than 0; and because
images that the network misclassifies are not left out: the component `decision` says where the object changes its decision.
"""

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.metrics.explain import Explain
from heatproof.metrics.scores import Scores, without_broken
from heatproof.metrics.truth_metric import TruthMetric, exceeds, object_share, other_network, own_decision
from heatproof.models.classes import decision
from heatproof.models.loaders.base import Loader
from heatproof.models.model import Model
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.forward import raw_outputs


class InputDependence(TruthMetric):
    """Whether the map attributes less to the place of the object than to the same place of the scene without it.

    network  The loader of a network that names the scene. None means the explained network, and the explained class.

    >>> import torch
    >>> import heatproof as hp
    >>> from heatproof.models.loaders import Toy
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 784).view(1, 1, 28, 28)
    >>> region = torch.zeros(1, 28, 28)
    >>> region[:, 20:, 20:] = 1
    >>> hp.score("input_dependence", model, images, "constant_map", regions=region, scenes=images / 2).values
    tensor([0.5000])
    """

    label: ClassVar[str] = "input dependence"
    title: ClassVar[str] = "input dependence rate"
    meaning: ClassVar[str] = "Whether the map gives less to a place when an object is put there that tells the network nothing."
    better: ClassVar[Direction] = Direction.HIGHER
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    reduction: ClassVar[Reduction] = Reduction.NONE
    scale_invariant: ClassVar[bool] = True
    needs_scenes: ClassVar[bool] = True
    component_meanings: ClassVar[Mapping[str, str]] = {
        "with": "with: mean of the scaled map over the object",
        "without": "without: the same for the scene without the object",
        "decision": "decision: whether the network predicts the same class with and without the object",
    }
    cite: ClassVar[str] = "Yang & Kim 2019"

    network: Loader | None = None

    def explanations(self, stochastic: bool = True) -> int:
        return 1 if self.network is None else 2

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(2, clean=1) if self.network is None else PassCount()

    def measure_truth(
        self, model: Model, images: Tensor, target: Tensor, explain: Explain, inside: Tensor, scenes: Tensor, seed: int
    ) -> Scores:
        other = None if self.network is None else other_network(self.network, model)
        alone, together = (self._decision(model, other, at) for at in (scenes, images))
        target = target if other is None else alone
        maps = [explain(at, target, seed, other).values for at in (images, scenes)]
        shown, before = (object_share(each, inside, self.name) for each in maps)
        value = exceeds(before, shown)
        same = (alone == together).to(value)
        return without_broken(Scores.of(value, components={"with": shown, "without": before, "decision": same}), *maps)

    def _decision(self, model: Model, other: Model | None, at: Tensor) -> Tensor:
        return decision(model, raw_outputs(model, at)) if other is None else own_decision(other, at)
