"""Input independence: whether a map stays as it is when a patch is put into the image that the network does not react to.

    value = 1 if |g(A(s)) − g(A(s + δ))| ≤ t g(A(s)),    0 otherwise

    δ = argmin ‖f(s + δ) − f(s)‖₂ − α ‖δ‖₂ + α Σ_i [max(0, l − s_i − δ_i) + max(0, s_i + δ_i − u)]

s is the scene without an object, in pixels from l = 0 to u = 255, and δ is a patch in the shape of the object that leaves the
outputs f of the network as they are: it is zero outside the object, and α = 0.01. The search for it begins with the pixels of the
object and takes gradient steps; of all iterates the one of the least value is used, cut to the legal values. A is the map, g its
mean over the object, scaled as in `model_contrast`, and t = 0.1. The mean of the value over images is the published rate. 1 minus
the rate is the share of false positives: images where the map shows, or hides, what makes no difference to the network.

Cost: 2 further maps. The patch costs `steps` + 1 forward and `steps` backward passes, once for all methods.
Source: Yang & Kim, "Benchmarking attribution methods with relative feature importance", 2019, and its code: 300 steps of length
500.
Differs from the paper because a difference equal to the threshold counts as independent, so that a map which is zero in both images
does; because images that the network misclassifies are not left out; and, in the search for the patch, because pixels are penalised
for lying outside the legal values rather than inside them, the best iterate is used rather than the last, and the search begins
with the object in its place rather than with its pixels added to the scene. The component `moved` says how far the patch moves the
network's outputs.
"""

import weakref
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn

from heatproof.core.records import Direction, Reduction
from heatproof.metrics.explain import Explain
from heatproof.metrics.scores import Scores, without_broken
from heatproof.metrics.truth_metric import TruthMetric, object_share, other_network, own_decision
from heatproof.models.loaders.base import Loader
from heatproof.models.model import Model
from heatproof.numerics.places import per_image
from heatproof.passes.counting import ImageShape, PassCount, record_rows
from heatproof.passes.forward import network_state
from heatproof.passes.gradient import check_differentiable
from heatproof.passes.memory import in_chunks
from heatproof.passes.network_checks import known_model
from heatproof.perturb.draws import image_digest

ALPHA = 0.01
"""α, the weight of the size of the patch and of values beyond the legal ones."""
WHITE = 255.0
"""u; l is 0."""

_CACHE_SIZE = 8
_patches: "weakref.WeakKeyDictionary[nn.Module, dict[tuple[Any, ...], tuple[Tensor, Tensor]]]" = weakref.WeakKeyDictionary()


class InputIndependence(TruthMetric):
    """Whether the map stays as it is when a patch is added that the network does not react to.

    network    The loader of a network that names the scene. None means the explained network, and the explained class.
    threshold  t, the largest change of the map on the object that still counts as none, as a share of its value.
    steps      The number of gradient steps of the search for the patch.
    length     The length of these steps, for pixels from 0 to 255.

    >>> import torch
    >>> import heatproof as hp
    >>> from heatproof.models.loaders import Toy
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 784).view(1, 1, 28, 28)
    >>> region = torch.zeros(1, 28, 28)
    >>> region[:, 20:, 20:] = 1
    >>> metric = hp.metrics.InputIndependence(steps=2)
    >>> hp.score(metric, model, images, "centre_map", regions=region, scenes=images / 2).values
    tensor([1.])
    """

    label: ClassVar[str] = "input independence"
    title: ClassVar[str] = "input independence rate"
    meaning: ClassVar[str] = "Whether the map stays as it is when a patch is added that the network does not react to."
    better: ClassVar[Direction] = Direction.HIGHER
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    reduction: ClassVar[Reduction] = Reduction.NONE
    scale_invariant: ClassVar[bool] = True
    needs_scenes: ClassVar[bool] = True
    needs_bounds: ClassVar[bool] = True
    component_meanings: ClassVar[Mapping[str, str]] = {
        "patch": "patch: mean of the scaled map over the patch",
        "without": "without: the same for the scene without the patch",
        "moved": "moved: distance that the patch moves the network's outputs, as a share of their length",
    }
    cite: ClassVar[str] = "Yang & Kim 2019"

    network: Loader | None = None
    threshold: PositiveFloat = 0.1
    steps: PositiveInt = 300
    length: PositiveFloat = 500.0

    def explanations(self, stochastic: bool = True) -> int:
        return 2

    def common_cost(self, image_shape: ImageShape) -> Mapping[str, PassCount]:
        return {f"patch {self._search}": PassCount(self.steps + 1, self.steps)}

    @property
    def _search(self) -> str:
        return f"{self.steps} {self.length} {self.network and self.network.digest}"

    def measure_truth(
        self, model: Model, images: Tensor, target: Tensor, explain: Explain, inside: Tensor, scenes: Tensor, seed: int
    ) -> Scores:
        other = None if self.network is None else other_network(self.network, model)
        target = target if other is None else own_decision(other, scenes)
        known_model(other or model, scenes, gradients=True)
        patched, moved = self._patched(other or model, images, scenes, inside)
        maps = [explain(at, target, seed, other).values for at in (scenes, patched)]
        before, shown = (object_share(each, inside, self.name) for each in maps)
        value = ((before - shown).abs() <= self.threshold * before).to(before)
        value = value.masked_fill(before.isnan() | shown.isnan(), float("nan"))
        return without_broken(Scores.of(value, components={"patch": shown, "without": before, "moved": moved.to(value)}), *maps)

    def _patched(self, model: Model, images: Tensor, scenes: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
        """The scenes with their patches, which are kept for the next method."""
        kept = _patches.setdefault(model.module, {})
        state = network_state(model.module), *map(image_digest, (*images, *scenes)), inside.cpu().numpy().tobytes()
        key = self.steps, self.length, state
        if key not in kept:
            kept[key] = insignificant_patch(model, images, scenes, inside, self.steps, self.length)
            while len(kept) > _CACHE_SIZE:
                del kept[next(iter(kept))]
        return kept[key]


def insignificant_patch(
    model: Model,
    images: Float[Tensor, "b c h w"],
    scenes: Float[Tensor, "b c h w"],
    inside: Bool[Tensor, "b h w"],
    steps: int,
    length: float,
) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, " b"]]:
    """The scenes with a patch that the network does not react to, and how far its outputs move, ‖f(s + δ) − f(s)‖₂ / ‖f(s)‖₂.

    Args:
        model: The network.
        images: The images with their objects, in model space.
        scenes: The same images without them.
        inside: The places of the objects.
        steps: The number of gradient steps.
        length: The length of a step, in pixels from 0 to 255.
    """

    def compute(rows: range) -> tuple[Tensor, Tensor]:
        part = slice(rows.start, rows.stop)
        return _patched(model, images[part], scenes[part], inside[part], steps, length)

    found = [result for _, result in in_chunks(model, images, len(images), compute, "gradient")]
    patched, moved = zip(*found, strict=True)
    return torch.cat(patched), torch.cat(moved)


def _patched(model: Model, images: Tensor, scenes: Tensor, inside: Tensor, steps: int, length: float) -> tuple[Tensor, Tensor]:
    lower, upper = model.bounds.like(images)
    unit = (upper - lower) / WHITE
    scene, mask = (scenes - lower) / unit, inside[:, None].to(images)
    delta = (images - scenes) / unit * mask
    best, least, moved = delta, torch.full_like(delta[:, 0, 0, 0], torch.inf), torch.zeros_like(delta[:, 0, 0, 0])
    with torch.inference_mode(False), torch.no_grad(), model.running():
        clean = model.outputs(scenes.clone()).detach().clone()
    record_rows(forward=len(images))
    for _ in range(steps):
        with torch.inference_mode(False), torch.enable_grad(), model.running():
            at = delta.clone().requires_grad_()
            pixels = scene + at
            outputs = model.outputs(pixels * unit + lower)
            check_differentiable(model, outputs)
            distance = (outputs - clean).flatten(1).norm(dim=1)
            beyond = ((-pixels).relu() + (pixels - WHITE).relu()).flatten(1).sum(1)
            loss = distance - ALPHA * at.flatten(1).norm(dim=1) + ALPHA * beyond
            (slope,) = torch.autograd.grad(loss.sum(), at)
        record_rows(forward=len(images), backward=len(images))
        loss, distance = loss.detach(), distance.detach()
        better = loss < least
        best, least = torch.where(per_image(better, delta), delta, best), torch.where(better, loss, least)
        moved = torch.where(better, distance / clean.flatten(1).norm(dim=1), moved)
        delta = (delta - length * slope.nan_to_num(0)) * mask
    return ((scene + best).clamp(0, WHITE) * unit + lower).detach(), moved
