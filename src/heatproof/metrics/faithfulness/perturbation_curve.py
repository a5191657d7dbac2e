"""Perturbation curve, and the area under it (AUPC): how fast the score falls as the regions a map calls relevant are replaced.

    y_0 = 1,    y_l = mean_p f(x^(l, p)) / f(x),    AUPC = Simpson's rule over y_0 … y_L, step 1

f is the explained score, x the image, L the number of regions and P the number of candidates a step. x^(l, p) is the p-th of P
candidates in which the l-th most relevant region of k × k pixels of x^(l−1) is replaced by random colours. The candidate whose
score is nearest the median becomes x^(l). A region of a signal is an interval of k times, and one of a volume a cube. Regions
are ranked once, by the mean of |Σ_channels map|, and never overlap. Lower is better for `order="most"`. The value is an
integral over a length L, that is, L times the mean relative score. Where the clean score is not positive, or near zero, the
value is NaN; of a regression, y is minus the size of the change, |f(x^(l, p)) − f(x)|, in the unit of the output, or the change
itself with `ranking="signed"` (`metrics/faithfulness/relative_scores.py`).

The P candidates are shared by several paths, each of which carries a candidate of its own forward and breaks ties of the ranking
by its own random numbers; the curve is their mean. `error` is the standard error of the value over the paths. With one path it is
not known, since what is carried forward decides more than the candidates of a step do.

Cost: 2 + L P forward passes a map (P = 1 with a fill that is not random). Where it is less work, only the part of a pass that a
region affects is computed.
Source: Samek et al., TNNLS 2017; Goh et al., ICPR 2020, eq. 10–11 and their code (k = 15, L = 30, P = 50).
Differs from Goh et al. because the 50 candidates belong to 5 paths of 10 (`paths=1` has one path, as published), and because
regions may lie in the last row and column of positions (`corners="published"` leaves these out, as the published code does); ties
between regions are broken at random, so that a map without preferences has none, and ties for the median go to the candidate drawn
first. Differs from Samek et al. because regions are ranked by magnitude, as in the code of Goh et al.; `ranking="signed"` ranks
them by the signed relevance, so that relevance against the class comes last. Random colours depend on the image and the seed only,
so that all methods are compared with the same ones.
"""

from math import prod
from typing import ClassVar, Literal, Self

import torch
from jaxtyping import Float
from pydantic import PositiveInt, model_validator
from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.metrics.base import ModelMetric
from heatproof.metrics.faithfulness.relative_scores import Relative
from heatproof.metrics.scores import Scores
from heatproof.models.model import Model
from heatproof.models.outputs import Output
from heatproof.numerics.area import AreaRule, area
from heatproof.numerics.quantile import quantile
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.forward import checked_scores, mean_fill_score, scores
from heatproof.passes.incremental import Size, images_at_once, incremental
from heatproof.passes.patched_images import PatchedImages, box_at
from heatproof.perturb.draws import Draws
from heatproof.perturb.fills.base import Fill
from heatproof.perturb.fills.uniform import Uniform
from heatproof.perturb.masks.regions import check_room, rank_regions

PUBLISHED_SIDE = 224
"""The side of the images for which the published settings are meant, in pixels."""
MOST_PATHS = 5
"""The largest number of paths that share the candidates by default: enough to estimate an error from."""


class PerturbationCurve(ModelMetric):
    """Area under the region-perturbation curve.

    side       The side of a region in pixels, k.
    regions    The number of regions that are replaced, L.
    scaled     Whether side and regions are for images of 224 × 224 pixels and are scaled to the image, so that the share of pixels
               that is replaced stays the same; of a signal or a volume, the share of places, with the shortest axis for the side.
    draws      The number of candidates a step, P, of all paths; None means 50 for a random fill and 1, the only choice, for any
               other.
    paths      The number of independent paths that share the candidates equally; None means the largest number up to 5 that
               divides them.
    fill       The values that replace a region.
    ranking    Whether regions are ranked by the magnitude of their relevance (absolute; Goh et al.) or by its value (signed; Samek
               et al.).
    order      Whether the most or the least relevant region comes first; with the least, higher is better.
    carry      Which candidate of a path is carried to its next step: the one nearest the median, or a random one.
    output     The score that is measured; None means the one that the model explains.
    area_rule  Simpson's rule (published) or the trapezoidal rule.
    corners    Whether regions may lie anywhere, or not in the last row and column of positions, as published.

    >>> import torch
    >>> from heatproof.metrics import PerturbationCurve
    >>> from heatproof.models.loaders import Toy
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> metric = PerturbationCurve(side=5, regions=4, draws=3)
    >>> metric.cost((1, 28, 28)).forward
    14
    >>> tuple(metric.score(model, images, None, images).curve.shape)
    (2, 5)
    """

    label: ClassVar[str] = "AUPC"
    title: ClassVar[str] = "area under the perturbation curve"
    meaning: ClassVar[str] = (
        "How much of the score is left, summed over the curve, while the regions the map calls relevant are replaced by noise."
    )
    better: ClassVar[Direction] = Direction.LOWER
    bounds: ClassVar[tuple[float, float]] = (-torch.inf, torch.inf)
    reduction: ClassVar[Reduction] = Reduction.SUM
    scale_invariant: ClassVar[bool] = True
    needs_places: ClassVar[bool] = True
    needs_bounds: ClassVar[bool] = True
    curve_axes: ClassVar[tuple[str, str]] = ("regions replaced", "score relative to the clean image")
    cite: ClassVar[str] = "Samek et al., TNNLS 2017; Goh et al., ICPR 2020"

    side: PositiveInt = 15
    regions: PositiveInt = 30
    scaled: bool = False
    draws: PositiveInt | None = None
    paths: PositiveInt | None = None
    fill: Fill = Uniform()
    ranking: Literal["absolute", "signed"] = "absolute"
    order: Literal["most", "least"] = "most"
    carry: Literal["median", "random"] = "median"
    output: Output | None = None
    area_rule: AreaRule = "simpson"
    corners: Literal["all", "published"] = "all"

    @model_validator(mode="after")
    def _one_draw_unless_random(self) -> Self:
        if not self.fill.stochastic and (self.draws or 1) > 1:
            raise ValueError(f"draws: expected 1, since {self.fill.name} is the same at every draw, got {self.draws}; leave it out")
        if self.candidates % (self.paths or 1):
            raise ValueError(f"paths: expected a divisor of the {self.candidates} draws, got {self.paths}; leave it out")
        return self

    @property
    def direction(self) -> Direction:
        return Direction.LOWER if self.order == "most" else Direction.HIGHER

    @property
    def candidates(self) -> int:
        """The number of candidates a step, P."""
        return self.draws or (50 if self.fill.stochastic else 1)

    @property
    def candidates_of_paths(self) -> tuple[int, int]:
        """The number of paths, and the number of candidates a step of each."""
        p = self.candidates
        paths = self.paths or max(n for n in range(1, MOST_PATHS + 1) if p % n == 0)
        return paths, p // paths

    @property
    def needs_class(self) -> bool:
        return self.output is not None and self.output.class_dependent

    def check_fits(self, model: Model, image_shape: ImageShape) -> None:
        space = image_shape[1:]
        check_room(space, *self.layout(*space))

    def cost(self, image_shape: ImageShape) -> PassCount:
        _, regions = self.layout(*image_shape[1:])
        return PassCount(2 + regions * self.candidates, clean=1)

    def work(self, model: Model, images: Float[Tensor, "b c *space"]) -> float:
        side, count = self.layout(*images.shape[2:])
        paths, candidates = self.candidates_of_paths
        return 2 * len(images) + incremental(model, images, _cube(side, images)).work(len(images) * paths, candidates, count)

    def layout(self, *space: int) -> tuple[int, int]:
        """The side and the number of regions for an image of h × w pixels, or other data of so many places along each axis."""
        if not self.scaled:
            return self.side, self.regions
        side = max(1, round(self.side * min(space) / PUBLISHED_SIDE))
        share = self.regions * self.side**2 / PUBLISHED_SIDE**2
        return side, max(1, round(share * prod(space) / side ** len(space)))

    def measure(self, model: Model, images: Tensor, target: Tensor, maps: Tensor, seed: int) -> Scores:
        if self.output is not None:
            model = model.with_(output=self.output)
        side, count = self.layout(*images.shape[2:])
        draws, (paths, _) = Draws.for_images(seed, images), self.candidates_of_paths
        clean = scores(model, images, target)
        replaced = mean_fill_score(model, images, target, draws, self.fill, 1)

        image = [i for i in range(len(images)) for _ in range(paths)]
        draws = draws.rows(image).child("path", [path for _ in images for path in range(paths)])
        corners = rank_regions(
            (maps if self.ranking == "signed" else maps.abs())[image],
            draws,
            side=side,
            count=count,
            most_relevant_first=self.order == "most",
            skip_last=self.corners == "published",
        )
        at_once = images_at_once(model, images, _cube(side, images))
        steps = torch.cat(
            [
                self._step_scores(model, images[image[at]], target[image[at]], draws.rows(range(len(image))[at]), corners[at], side)
                for start in range(0, len(image), at_once)
                for at in [slice(start, start + at_once)]
            ]
        )
        curves = torch.cat([clean[:, None, None].expand(-1, paths, 1), steps.view(len(images), paths, count)], 2)
        relative = Relative.to(model, target, clean, replaced, curves, by_size=self.ranking == "absolute")
        curves = relative.of(curves)
        areas = area(curves.flatten(0, 1), self.area_rule).view(-1, paths)
        error = areas.std(1) / paths**0.5 if paths > 1 else None
        return relative.where_meaningful(Scores.of(areas.mean(1), error=error, curve=curves.mean(1)))

    def _step_scores(
        self, model: Model, images: Tensor, target: Tensor, draws: Draws, corners: Tensor, side: int
    ) -> Float[Tensor, "b steps"]:
        """The mean score of the candidates at each step of one path."""
        (_, p), count = self.candidates_of_paths, corners.shape[1]
        whole = None if self.fill.stochastic else self.fill(images, model.bounds, draws, 0)
        rectangles = PatchedImages(model, images, _cube(side, images), candidates=p, times=count)
        means = []
        for step in range(count):
            corner = corners[:, step]
            patches = self._patches(model, images, whole, draws, corner, side, range(step * p, (step + 1) * p))
            outputs = rectangles.outputs(corner, patches)
            candidates = checked_scores(model, outputs.flatten(0, 1), target.repeat_interleave(p)).view(-1, p)
            means.append(candidates.mean(1))
            if step < count - 1:
                rectangles.keep(self._carried(candidates))
        return torch.stack(means, 1)

    def _patches(
        self, model: Model, images: Tensor, whole: Tensor | None, draws: Draws, corner: Tensor, side: int, indices: range
    ) -> Tensor:
        """The values `[b, candidates, c, side, …]` that replace a region in each candidate of one step."""
        crops = _crop(images if whole is None else whole, corner, side)
        if whole is not None:
            return crops[:, None]
        if self.fill.local:
            return torch.stack([self.fill(crops, model.bounds, draws, p) for p in indices], 1)
        return torch.stack([_crop(self.fill(images, model.bounds, draws, p), corner, side) for p in indices], 1)

    def _carried(self, scores: Tensor) -> Tensor:
        """The number of the candidate to carry forward `[b]`, from the candidates' scores `[b, candidates]`.

        It is the one nearest the median; of candidates equally near up to rounding, as the middle two are, the first one drawn.
        """
        if self.carry == "random":
            return torch.zeros(len(scores), dtype=torch.long, device=scores.device)
        gap = (scores - quantile(scores, 0.5)[:, None]).abs()
        rounding = 64 * torch.finfo(scores.dtype).eps * scores.abs().amax(1, keepdim=True)
        number = torch.arange(scores.shape[1], device=scores.device)
        return torch.where(gap <= gap.amin(1, keepdim=True) + rounding, number, scores.shape[1] - 1).amin(1)


def _crop(images: Tensor, corner: Tensor, side: int) -> Tensor:
    size = _cube(side, images)
    return torch.stack([image[box_at(first, size)] for image, first in zip(images, corner.tolist(), strict=True)])


def _cube(side: int, images: Tensor) -> Size:
    """The size of a region along each axis of the images: a square, or an interval of a signal, or a cube of a volume."""
    return (side,) * (images.ndim - 2)
