"""Mark detection: whether a map has more on a planted mark than the map of a network that was trained without the mark.

    value = 1 if g(A_f) > g(A_f′),    ½ if they are equal,    0 otherwise
    g(A) = Σ_(p ∈ mark) |A_p| / Σ_p |A_p|

A_f is the map of an image with its mark for the explained network f, and A_f′ that of the same image and class for network f′,
which was trained without marks. A is summed over channels. The sign does not count, because a user sees a mark in either colour.
Whoever has no f′ cannot compare, so the component `seen` asks what one map alone shows: whether a quarter or more of what stands
out, the magnitude of the k places of the largest magnitudes, lies on the mark.

The mean of the value over images is how often the mark is detected in pairs; a map that ignores the network has 0.5. The ROC curve
of the components `marked` and `unmarked` over images, and the accuracy with and without the mark, which decides whether there is
anything to detect, are in the report (`report/detections.py`).

Cost: 1 further map, of which the passes of the other network are not counted, and 2 forward passes.
Source: Adebayo, Muelly, Liccardi & Kim, "Debugging tests for model explanations", NeurIPS 2020; Adebayo, Muelly, Abelson & Kim,
"Post hoc explanations may be ineffective for detecting unknown spurious correlation", ICLR 2022.
Differs from the papers because energy on the mark is compared rather than the similarity of whole maps, so that a score says where
the maps differ.
"""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field
from torch import Tensor

from heatproof.core.errors import ModelError
from heatproof.core.records import Direction, Reduction
from heatproof.metrics.explain import Explain
from heatproof.metrics.inputs import finite_maps
from heatproof.metrics.scores import Scores, without_broken
from heatproof.metrics.truth_metric import TruthMetric, exceeds, other_network
from heatproof.models.classes import decision
from heatproof.models.loaders.base import Loader
from heatproof.models.model import Model
from heatproof.numerics.reduce import reduce
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.forward import raw_outputs

QUARTER = 0.25
"""The part of the magnitude of the highest places that lies on a mark which a user sees."""


class MarkDetection(TruthMetric):
    """Whether the map has more on the mark than the map of a network that was trained without marks.

    other  The loader of the network that was trained without marks, for images of the same preprocessing.
    share  The number of the highest places, k, as a share of all places; at least one place is taken.

    >>> import torch
    >>> import heatproof as hp
    >>> from heatproof.models.loaders import Toy
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 784).view(1, 1, 28, 28)
    >>> mark = torch.zeros(1, 28, 28)
    >>> mark[:, :7, :5] = 1
    >>> metric = hp.metrics.MarkDetection(other=Toy(architecture="cnn", width=0.1, seed=1))
    >>> hp.score(metric, model, images, "edge_map", regions=mark, scenes=images * (1 - mark[:, None])).values
    tensor([0.5000])
    """

    label: ClassVar[str] = "mark detection"
    meaning: ClassVar[str] = "Whether the map has more on a planted mark than for a network trained without it; 0.5 = chance."
    better: ClassVar[Direction] = Direction.HIGHER
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    reduction: ClassVar[Reduction] = Reduction.SUM
    scale_invariant: ClassVar[bool] = True
    needs_scenes: ClassVar[bool] = True
    component_meanings: ClassVar[Mapping[str, str]] = {
        "marked": "marked: share of the map's magnitude on the mark, for the explained network",
        "unmarked": "unmarked: the same for the network that was trained without marks",
        "top": "top: the share of the magnitude of the highest places that lies on the mark",
        "seen": "seen: whether that share is a quarter or more",
        "right": "right: whether the network decides for the explained class",
        "right_without": "right without: the same for the image without its mark",
    }
    cite: ClassVar[str] = "Adebayo et al., NeurIPS 2020"

    other: Loader | None = None
    share: float = Field(default=0.05, gt=0, le=1)

    def explanations(self, stochastic: bool = True) -> int:
        return 1

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(2, clean=1)

    def check_fits(self, model: Model, image_shape: ImageShape) -> None:
        if self.other is None:
            raise ModelError(
                f"{self.name}: expected `other`, the loader of a network that was trained without marks, got none; give it, such "
                "as a `trained` network of planted_marks with strength = 0"
            )

    def measure_truth(
        self, model: Model, images: Tensor, target: Tensor, explain: Explain, inside: Tensor, scenes: Tensor, seed: int
    ) -> Scores:
        self.check_fits(model, tuple(images.shape[1:]))
        other = other_network(self.other, model)  # type: ignore[arg-type]  # checked above
        maps = [explain(images, target, seed).values, explain(images, target, seed, other).values]
        sizes = [reduce(finite_maps(each, self.name), self.reduction).flatten(1).double().abs() for each in maps]
        flat = inside.flatten(1)
        marked, unmarked = ((size * flat).sum(1) / size.sum(1) for size in sizes)
        value = exceeds(marked, unmarked).to(maps[0])
        most = max(1, round(self.share * flat.shape[1]))
        highest = sizes[0].topk(most, dim=1)
        top = (highest.values * flat.gather(1, highest.indices)).sum(1) / highest.values.sum(1)
        right, right_without = ((decision(model, raw_outputs(model, at)) == target).to(value) for at in (images, scenes))
        seen = (top >= QUARTER).to(top)
        parts = {"marked": marked, "unmarked": unmarked, "top": top, "seen": seen.masked_fill(marked.isnan(), float("nan"))}
        components = {name: part.to(value) for name, part in parts.items()} | {"right": right, "right_without": right_without}
        return without_broken(Scores.of(value, components=components, missing="the map is zero everywhere"), *maps)
