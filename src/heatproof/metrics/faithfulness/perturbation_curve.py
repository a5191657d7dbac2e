"""Perturbation curve, and the area under it (AUPC): how fast the score falls as the regions a map calls relevant are replaced.

    y_0 = f(x) / |f(x)|,    y_l = mean_p f(x^(l, p)) / |f(x)|,    AUPC = Simpson's rule over y_0 … y_L, step 1

f is the explained score, x the image, L the number of regions and P the number of candidates a step. x^(l, p) is the p-th of P
candidates in which the l-th most relevant region of k × k pixels of x^(l−1) is replaced by random colours. The candidate whose
score is nearest the median of the P scores becomes x^(l). Regions are ranked once, by the mean of |Σ_channels map|, and never
overlap. Lower is better for `order="most"`. The value is an integral over a length L, that is, L times the mean relative score.

`error` is the Monte Carlo error of the P draws at each step, given the candidates that were carried forward.

Cost: 1 + L P forward passes a map (P = 1 with a fill that is not random). Where it is less work, only the part of a pass that a
region affects is computed.
Source: Samek et al., TNNLS 2017; Goh et al., ICPR 2020, eq. 10–11 and their code (k = 15, L = 30, P = 50).
Differs from the paper because regions may lie in the last row and column of positions (`corners="published"` leaves these out, as
the published code does); ties between regions are broken at random, so that a map without preferences has none, and ties for the
median go to the candidate drawn first. Random colours depend on the image and the seed only, so that all methods are compared with
the same ones.
"""

from typing import ClassVar, Literal, Self

import torch
from jaxtyping import Float
from pydantic import PositiveInt, model_validator
from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.metrics.base import ModelMetric
from heatproof.metrics.scores import Scores
from heatproof.models.model import Model
from heatproof.models.outputs import Output
from heatproof.numerics.area import AreaRule, area, area_weights
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.forward import checked_scores, scores
from heatproof.passes.incremental import images_at_once, incremental
from heatproof.passes.patched_images import PatchedImages
from heatproof.perturb.draws import Draws
from heatproof.perturb.fills.base import Fill
from heatproof.perturb.fills.uniform import Uniform
from heatproof.perturb.masks.regions import rank_regions

PUBLISHED_SIDE = 224
"""The side of the images for which the published settings are meant, in pixels."""


class PerturbationCurve(ModelMetric):
    """Area under the region-perturbation curve.

    side       The side of a region in pixels, k.
    regions    The number of regions that are replaced, L.
    scaled     Whether side and regions are for images of 224 × 224 pixels and are scaled to the image, so that the share of pixels
               that is replaced stays the same.
    draws      The number of candidates a step, P; None means 50 for a random fill and 1, the only choice, for any other.
    fill       The values that replace a region.
    order      Whether the most or the least relevant region comes first; with the least, higher is better.
    carry      Which candidate is carried to the next step: the one nearest the median, or a random one.
    output     The score that is measured; None means the one that the model explains.
    area_rule  Simpson's rule (published) or the trapezoidal rule.
    corners    Whether regions may lie anywhere, or not in the last row and column of positions, as published.

    >>> import torch
    >>> from heatproof.metrics import PerturbationCurve
    >>> from heatproof.models.loaders import Toy
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> metric = PerturbationCurve(side=5, regions=4, draws=3)
    >>> metric.cost((1, 28, 28)).forward
    13
    >>> tuple(metric.score(model, images, None, images).curve.shape)
    (2, 5)
    """

    label: ClassVar[str] = "AUPC"
    meaning: ClassVar[str] = (
        "How much of the score is left, summed over the curve, while the regions the map calls relevant are replaced by noise."
    )
    better: ClassVar[Direction] = Direction.LOWER
    bounds: ClassVar[tuple[float, float]] = (-torch.inf, torch.inf)
    reduction: ClassVar[Reduction] = Reduction.SUM
    scale_invariant: ClassVar[bool] = True
    curve_axes: ClassVar[tuple[str, str]] = ("regions replaced", "score relative to the clean image")
    cite: ClassVar[str] = "Samek et al., TNNLS 2017; Goh et al., ICPR 2020"

    side: PositiveInt = 15
    regions: PositiveInt = 30
    scaled: bool = False
    draws: PositiveInt | None = None
    fill: Fill = Uniform()
    order: Literal["most", "least"] = "most"
    carry: Literal["median", "random"] = "median"
    output: Output | None = None
    area_rule: AreaRule = "simpson"
    corners: Literal["all", "published"] = "all"

    @model_validator(mode="after")
    def _one_draw_unless_random(self) -> Self:
        if not self.fill.stochastic and (self.draws or 1) > 1:
            raise ValueError(f"draws: expected 1, since {self.fill.name} is the same at every draw, got {self.draws}; leave it out")
        return self

    @property
    def direction(self) -> Direction:
        return Direction.LOWER if self.order == "most" else Direction.HIGHER

    @property
    def candidates(self) -> int:
        """The number of candidates a step, P."""
        return self.draws or (50 if self.fill.stochastic else 1)

    @property
    def needs_class(self) -> bool:
        return self.output is not None and self.output.class_dependent

    def cost(self, image_shape: ImageShape) -> PassCount:
        _, regions = self.layout(*image_shape[-2:])
        return PassCount(1 + regions * self.candidates, clean=1)

    def work(self, model: Model, images: Float[Tensor, "b c h w"]) -> float:
        side, count = self.layout(*images.shape[-2:])
        return len(images) + incremental(model, images, (side, side)).work(len(images), self.candidates, count)

    def layout(self, h: int, w: int) -> tuple[int, int]:
        """The side and the number of regions for an image of h × w pixels."""
        if not self.scaled:
            return self.side, self.regions
        side = max(1, round(self.side * min(h, w) / PUBLISHED_SIDE))
        share = self.regions * self.side**2 / PUBLISHED_SIDE**2
        return side, max(1, round(share * h * w / side**2))

    def measure(self, model: Model, images: Tensor, target: Tensor, maps: Tensor, seed: int) -> Scores:
        if self.output is not None:
            model = model.with_(output=self.output)
        side, count = self.layout(*images.shape[-2:])
        draws = Draws.for_images(seed, images)
        first = self.order == "most"
        corners = rank_regions(
            maps, draws, side=side, count=count, most_relevant_first=first, skip_last=self.corners == "published"
        )
        clean = scores(model, images, target)
        at_once = images_at_once(model, images, (side, side))
        batches = [
            self._step_scores(model, images[at], target[at], draws.rows(list(range(len(images)))[at]), corners[at], side)
            for start in range(0, len(images), at_once)
            for at in [slice(start, start + at_once)]
        ]
        means, variances = (torch.cat(each) for each in zip(*batches, strict=True))
        return self._conclude(torch.cat([clean[:, None], means], 1), variances)

    def _step_scores(
        self, model: Model, images: Tensor, target: Tensor, draws: Draws, corners: Tensor, side: int
    ) -> tuple[Float[Tensor, "b steps"], Float[Tensor, "b steps"]]:
        """The mean score of the candidates at each step, and the variance of this mean."""
        p, count = self.candidates, corners.shape[1]
        whole = None if self.fill.stochastic else self.fill(images, model.bounds, draws, 0)
        rectangles = PatchedImages(model, images, (side, side), candidates=p, times=count)
        means, variances = [], []
        for step in range(count):
            corner = corners[:, step]
            patches = self._patches(model, images, whole, draws, corner, side, step)
            outputs = rectangles.outputs(corner, patches)
            candidates = checked_scores(model, outputs.flatten(0, 1), target.repeat_interleave(p)).view(-1, p)
            means.append(candidates.mean(1))
            variances.append(candidates.var(1) / p if p > 1 else torch.zeros_like(means[-1]))
            if step < count - 1:
                rectangles.keep(self._carried(candidates))
        return torch.stack(means, 1), torch.stack(variances, 1)

    def _patches(
        self, model: Model, images: Tensor, whole: Tensor | None, draws: Draws, corner: Tensor, side: int, step: int
    ) -> Tensor:
        """The pixels `[b, candidates, c, side, side]` that replace a region in each candidate of one step."""
        crops = _crop(images if whole is None else whole, corner, side)
        if whole is not None:
            return crops[:, None]
        indices = range(step * self.candidates, (step + 1) * self.candidates)
        if self.fill.local:
            return torch.stack([self.fill(crops, model.bounds, draws, p) for p in indices], 1)
        return torch.stack([_crop(self.fill(images, model.bounds, draws, p), corner, side) for p in indices], 1)

    def _carried(self, scores: Tensor) -> Tensor:
        """The number of the candidate to carry forward `[b]`, from the candidates' scores `[b, candidates]`.

        It is the one nearest the median; of candidates equally near up to rounding, as the middle two are, the first one drawn.
        """
        if self.carry == "random":
            return torch.zeros(len(scores), dtype=torch.long, device=scores.device)
        gap = (scores - scores.quantile(0.5, dim=1, keepdim=True)).abs()
        rounding = 64 * torch.finfo(scores.dtype).eps * scores.abs().amax(1, keepdim=True)
        number = torch.arange(scores.shape[1], device=scores.device)
        return torch.where(gap <= gap.amin(1, keepdim=True) + rounding, number, scores.shape[1] - 1).amin(1)

    def _conclude(self, means: Tensor, variances: Tensor) -> Scores:
        scale = means[:, :1].abs()
        scale = torch.where(scale > 0, scale, torch.nan)
        weights = area_weights(means.shape[1], self.area_rule).to(means)
        sampled = self.candidates > 1
        error = (variances @ weights[1:].square()).sqrt() / scale[:, 0] if sampled else torch.full_like(scale[:, 0], torch.nan)
        return Scores.of(
            area(means / scale, self.area_rule),
            error=error,
            curve=means / scale,
            missing="the clean score is zero or the network answered NaN, so nothing can be relative to it; follow another output",
        )


def _crop(images: Tensor, corner: Tensor, side: int) -> Tensor:
    return torch.stack([image[:, i : i + side, j : j + side] for image, (i, j) in zip(images, corner.tolist(), strict=True)])
