"""Similarity under change: the similarity of a map to itself while the image is changed more and more.

    s(ε) = similarity(A(x), A(x_ε)),    value = mean of s(ε) over the levels ε

A(x) is the map of image x, and x_ε is the image changed at level ε. The explained class remains that of the unchanged image. A
map that changes while the network's decision does not is fragile. A map that does not change while the decision does explains
something else; the component `answer` is the share of levels at which the network's own top-1 is still that of the unchanged
image. A level at which the image cannot be changed as required, for example by an attack that must preserve the decision, is not
scored.

Two metrics that differ only in how maps are compared use the same maps, so that one can be drawn against the other. Changes that do
not depend on the maps are computed once for all methods.

Cost: 1 map and 1 forward pass per level, 1 forward pass more, and the passes of the change itself.
Source: Wang & Kong, "Exploiting the relationship between Kendall's rank correlation and cosine similarity for attribution
protection", NeurIPS 2022 (cosine and Kendall's τ under change); Ghorbani, Abid & Zou, "Interpretation of neural networks is
fragile", AAAI 2019 (attacked maps).
"""

import weakref
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from heatproof.core.records import Direction
from heatproof.metrics.comparison import ComparingMetric, Similarity
from heatproof.metrics.explain import Explain
from heatproof.metrics.scores import Scores, without_broken
from heatproof.models.classes import decision
from heatproof.models.model import Model
from heatproof.numerics.centre_of_mass import centre_of_mass
from heatproof.numerics.finite import finite
from heatproof.numerics.places import per_image
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.forward import network_state, raw_outputs
from heatproof.perturb.changes import AddedNoise, Change, ChangeContext
from heatproof.perturb.draws import image_digest

_CACHE_SIZE = 8
_changed_images: "weakref.WeakKeyDictionary[nn.Module, dict[tuple[Any, ...], list[Tensor]]]" = weakref.WeakKeyDictionary()


class SimilarityUnderChange(ComparingMetric):
    """Mean similarity to the map of the unchanged image, over increasing levels of a change.

    change  What is done to the image, such as added noise or an attack.
    levels  The strengths of the change, in increasing order and in the unit of the change.

    >>> import torch
    >>> from heatproof.methods import Gradient
    >>> from heatproof.metrics import SimilarityUnderChange, score
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> metric = SimilarityUnderChange(levels=(0.0, 0.1))
    >>> scores = score(metric, model, images, Gradient())
    >>> scores.curve.shape, scores.components["first"]
    (torch.Size([2, 2]), tensor([1., 1.]))
    """

    label: ClassVar[str] = "similarity under change"
    meaning: ClassVar[str] = (
        "Similarity to the map of the unchanged image while the image is changed more and more; 1 = the map does not change."
    )
    better: ClassVar[Direction] = Direction.HIGHER
    curve_axes: ClassVar[tuple[str, str]] = ("level", "similarity")
    component_meanings: ClassVar[dict[str, str]] = {
        "first": "at the lowest level",
        "last": "at the highest level",
        "scored": "share of levels at which the similarity is defined",
        "moved": "distance in pixels by which the centre of mass moves, at the highest level",
        "answer": "share of levels at which the network still predicts the same class",
    }
    cite: ClassVar[str] = "Wang & Kong, NeurIPS 2022; Ghorbani et al., AAAI 2019"

    similarity: Similarity = "kendall"
    change: Change = AddedNoise()
    levels: tuple[float, ...] = Field(default=(0.05, 0.1, 0.2, 0.3, 0.4, 0.5), min_length=1)

    @field_validator("levels")
    @classmethod
    def _increasing(cls, levels: tuple[float, ...]) -> tuple[float, ...]:
        if any(a >= b for a, b in pairwise(levels)) or levels[0] < 0:
            raise ValueError(f"expected levels that increase from 0 on, got {list(levels)}")
        return levels

    @property
    def axes(self) -> tuple[str, str]:
        return self.change.unit, self.compared

    @property
    def curve_at(self) -> tuple[float, ...]:
        return self.levels

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(1 + len(self.levels), clean=1)

    def check_fits(self, model: Model, image_shape: ImageShape) -> None:
        self.change.check_fits(self.levels, image_shape)

    def common_cost(self, image_shape: ImageShape) -> Mapping[str, PassCount]:
        return {} if self.change.uses_maps else {f"{self.change.digest} {self.levels}": PassCount(*self.change.rows(self.levels))}

    def explanations(self, stochastic: bool = True) -> int:
        return len(self.levels)

    def measure(self, model: Model, images: Tensor, target: Tensor, explain: Explain, seed: int) -> Scores:
        computed: list[tuple[Tensor, Tensor]] = []

        def map_of(at: Tensor) -> Tensor:
            """Return the maps of these images, and compute them only at the first call with the same tensor."""
            if not any(images is at for images, _ in computed):
                computed.append((at, explain(at, target, seed).values))
            return next(values for images, values in computed if images is at)

        clean = map_of(images)
        requested = self._changed(ChangeContext(images, model.bounds, target, model, map_of, seed))
        impossible = torch.stack([~finite(at) for at in requested], 1)
        changed = [_filled(at, no, images) for at, no in zip(requested, impossible.unbind(1), strict=True)]
        curve = torch.stack([self.compare(clean, map_of(at)) for at in changed], 1).masked_fill(impossible, torch.nan)
        choice = decision(model, raw_outputs(model, images))
        answer = torch.stack([decision(model, raw_outputs(model, at)) == choice for at in changed], 1).to(curve)
        undecided = impossible | (choice < 0)[:, None]  # a network without classes decides nothing
        components = {
            "first": curve[:, 0],
            "last": curve[:, -1],
            "scored": (~curve.isnan()).to(curve).mean(1),
            "answer": answer.masked_fill(undecided, torch.nan).nanmean(1),
            "moved": _distance(clean, map_of(changed[-1])).masked_fill(impossible[:, -1], torch.nan),
        }
        missing = f"at every level the image cannot be changed as required, or {self.undefined}"
        scores = Scores.of(curve.nanmean(1), curve=curve, components=components, missing=missing)
        return without_broken(scores, clean)

    def _changed(self, at: ChangeContext) -> list[Tensor]:
        """Return the changed images at each level. If they do not depend on the method, they are cached for the next one."""
        if self.change.uses_maps:
            return self.change(at, self.levels)
        network = at.model.module
        cached = _changed_images.setdefault(network, {})
        state = network_state(network), at.model.output, *at.target.tolist(), *map(image_digest, at.images)
        key = self.change.digest, self.levels, at.seed, state
        if key not in cached:
            cached[key] = self.change(at, self.levels)
            while len(cached) > _CACHE_SIZE:
                del cached[next(iter(cached))]
        return cached[key]


def _filled(at: Tensor, where: Tensor, images: Tensor) -> Tensor:
    """Replace the masked samples by the unchanged images; return the same tensor if none is masked, so that its maps are reused."""
    return torch.where(per_image(where, images), images, at) if bool(where.any()) else at


def _distance(a: Tensor, b: Tensor) -> Tensor:
    """Return the distance `[b]` in pixels between the centres of mass of the magnitudes of raw maps; NaN for tables."""
    if a.ndim == 2:
        return torch.full_like(a[:, 0], torch.nan)
    x, y = (centre_of_mass(maps.abs().sum(1)) for maps in (a, b))
    return (x - y).square().sum(1).sqrt()
