"""Similarity under change: how a map moves as its image is changed more and more.

    s(ε) = similarity(A(x), A(x + change at level ε)),    value = mean over the levels

The class explained stays that of the clean image. A map that moves where the network's answer stays is fragile; one that stays
where the answer moves explains something else: `answer` is the share of levels at which the network's own choice is still the
clean one. A level at which the image cannot be changed as asked, as by an attack that must leave the answer alone, is not scored.
Two entries with two similarities share the maps, so that one can be drawn against the other, and changes that do not look at maps
are made once for all methods.

Cost: a map a level, one forward row a level, and what the change itself asks for.
Source: Wang & Kong, NeurIPS 2022 (cosine and Kendall's τ under change); Ghorbani, Abid & Zou, AAAI 2019 (attacked maps).
"""

import weakref
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from heatproof.core.records import Direction
from heatproof.metrics.base import Explain, Scores, without_broken
from heatproof.metrics.comparison import ComparingMetric, Similarity
from heatproof.models.model import Model
from heatproof.numerics.centre import centre_of_mass
from heatproof.numerics.finite import finite
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.forward import network_state, raw_outputs
from heatproof.perturb.changes import AddedNoise, Change, Situation
from heatproof.perturb.draws import image_digest

_KEPT = 8
_kept: "weakref.WeakKeyDictionary[nn.Module, dict[tuple[Any, ...], list[Tensor]]]" = weakref.WeakKeyDictionary()


class SimilarityUnderChange(ComparingMetric):
    """Mean similarity to the map of the clean image, over levels of a change.

    change   what is done to the image.
    levels   of it, increasing.
    """

    label: ClassVar[str] = "similarity under change"
    meaning: ClassVar[str] = "Similarity to the map of the untouched image as it is changed more and more; 1 = the map stays."
    better: ClassVar[Direction] = Direction.HIGHER
    curve_axes: ClassVar[tuple[str, str]] = ("level", "similarity")
    component_meanings: ClassVar[dict[str, str]] = {
        "first": "at the lowest level",
        "last": "at the highest level",
        "scored": "share of levels that leave a map to compare",
        "moved": "pixels by which the centre of mass moves, at the highest level",
        "answer": "share of levels at which the network still chooses the same class",
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

    def common_cost(self, image_shape: ImageShape) -> Mapping[str, PassCount]:
        return {} if self.change.by_maps else {f"{self.change.digest} {self.levels}": PassCount(*self.change.rows(self.levels))}

    def explanations(self, stochastic: bool = True) -> int:
        return len(self.levels)

    def measure(self, model: Model, images: Tensor, target: Tensor, explain: Explain, seed: int) -> Scores:
        made: list[tuple[Tensor, Tensor]] = []

        def mapped(at: Tensor) -> Tensor:
            """Made once, whoever asks."""
            if not any(images is at for images, _ in made):
                made.append((at, explain(at, target, seed).values))
            return next(values for images, values in made if images is at)

        clean = mapped(images)
        asked = self._changed(Situation(images, model.bounds, target, model, mapped, seed))
        impossible = torch.stack([~finite(at) for at in asked], 1)
        changed = [_filled(at, no, images) for at, no in zip(asked, impossible.unbind(1), strict=True)]
        curve = torch.stack([self.compare(clean, mapped(at)) for at in changed], 1).masked_fill(impossible, torch.nan)
        choice = raw_outputs(model, images).argmax(1)
        answer = torch.stack([raw_outputs(model, at).argmax(1) == choice for at in changed], 1).to(curve)
        components = {
            "first": curve[:, 0],
            "last": curve[:, -1],
            "scored": (~curve.isnan()).to(curve).mean(1),
            "answer": answer.masked_fill(impossible, torch.nan).nanmean(1),
            "moved": _distance(clean, mapped(changed[-1])).masked_fill(impossible[:, -1], torch.nan),
        }
        missing = "at no level is there a changed image, or its map is constant"
        scores = Scores.of(curve.nanmean(1), curve=curve, components=components, missing=missing)
        return without_broken(scores, clean)

    def _changed(self, at: Situation) -> list[Tensor]:
        """Images at each level; those that are the same for all methods are kept for the next one, a few of them."""
        if self.change.by_maps:
            return self.change(at, self.levels)
        network = at.model.module
        kept = _kept.setdefault(network, {})
        state = network_state(network), at.model.output, *at.target.tolist(), *map(image_digest, at.images)
        key = self.change.digest, self.levels, at.seed, state
        if key not in kept:
            kept[key] = self.change(at, self.levels)
            while len(kept) > _KEPT:
                del kept[next(iter(kept))]
        return kept[key]


def _filled(at: Tensor, where: Tensor, images: Tensor) -> Tensor:
    """The images themselves where so; the same tensor if nowhere, so that its maps are known."""
    return torch.where(where.view(-1, 1, 1, 1), images, at) if bool(where.any()) else at


def _distance(a: Tensor, b: Tensor) -> Tensor:
    """Between the centres of the magnitudes of raw maps, in pixels."""
    x, y = (centre_of_mass(maps.abs().sum(1)) for maps in (a, b))
    return (x - y).square().sum(1).sqrt()
