"""Pixel flipping: how fast the score falls as the pixels a map calls relevant are replaced, or rises as they come back.

    y_k = 1/P Σ_p f(x^(k, p)) / |f(x)|,  k = 0 … K,    value = 1/K Σ_k (y_{k−1} + y_k) / 2

x^(k, p) has a share k/K of its pixels, those first in the map's order, replaced by draw p of the fill (deletion), or is draw p of
the fill with that share put back (insertion). So y_0 = sign f(x) for deletion, y_K for insertion; a constant 1 has area 1. Pixels
are ordered by the signed Σ_channels map, all channels of a pixel at once; equal ones stand in random order.

`error` is the standard error of the value over the P draws, each of which is one fill for the whole curve.

Cost: 1 + K P forward rows a map (P = 1 with a fill that is not drawn).
Source: Bach et al., PLoS ONE 2015 (flipping by order of relevance); Petsiuk, Das & Saenko, "RISE", BMVC 2018 (deletion, insertion,
area).
Differs from the papers: the score is relative to the clean one and is the output the model explains, a logit unless told otherwise
(RISE follows the probability); RISE inserts into a blurred image, `fill="blurred"`. With one fill and no ties, inserting the most
relevant first is deleting the least relevant first, read backwards: the two differ by their fills.
"""

from typing import ClassVar, Literal, Self

import torch
from jaxtyping import Float
from pydantic import PositiveInt, model_validator
from torch import Tensor

from heatproof.core.errors import SettingsError
from heatproof.core.records import Direction, Reduction
from heatproof.metrics.base import ModelMetric
from heatproof.metrics.scores import Scores
from heatproof.models.model import Model
from heatproof.models.outputs import Output
from heatproof.numerics.area import area
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.forward import scores, variant_scores
from heatproof.perturb.draws import Draws
from heatproof.perturb.fills.base import Fill
from heatproof.perturb.fills.zero import Zero
from heatproof.perturb.masks.pixel_order import PixelOrder, pixel_places


class PixelFlipping(ModelMetric):
    """Area under the curve of deletion or insertion, over the share of pixels.

    steps   equal steps from no pixel to all, K.
    fill    what replaces a pixel.
    draws   fills an image, P: 10 for a random fill unless given; a fill that is not random needs, and takes, just one.
    order   most or least relevant pixel first.
    mode    deletion, from the image to the fill, or insertion, from the fill to the image.
    output  the scalar that is followed; None = the one the model explains.
    """

    label: ClassVar[str] = "pixel flipping"
    meaning: ClassVar[str] = "Mean score, relative to the clean image, while pixels are replaced in the order of the map."
    better: ClassVar[Direction] = Direction.LOWER
    bounds: ClassVar[tuple[float, float]] = (-torch.inf, torch.inf)
    reduction: ClassVar[Reduction] = Reduction.SUM
    scale_invariant: ClassVar[bool] = True
    curve_axes: ClassVar[tuple[str, str]] = ("steps", "score relative to the clean image")
    cite: ClassVar[str] = "Bach et al., PLoS ONE 2015; Petsiuk et al., BMVC 2018"

    steps: PositiveInt = 32
    fill: Fill = Zero()
    draws: PositiveInt | None = None
    order: Literal["most", "least"] = "most"
    mode: Literal["deletion", "insertion"] = "deletion"
    output: Output | None = None

    @model_validator(mode="after")
    def _one_draw_unless_random(self) -> Self:
        if not self.fill.stochastic and (self.draws or 1) > 1:
            raise ValueError(f"draws: expected 1, since {self.fill.name} is the same at every draw, got {self.draws}; leave it out")
        return self

    @property
    def direction(self) -> Direction:
        return Direction.LOWER if (self.order == "most") == (self.mode == "deletion") else Direction.HIGHER

    @property
    def fills(self) -> int:
        """Fills an image, P."""
        return self.draws or (10 if self.fill.stochastic else 1)

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(1 + self.steps * self.fills, clean=1)

    def measure(self, model: Model, images: Tensor, target: Tensor, maps: Tensor, seed: int) -> Scores:
        model = model if self.output is None else model.with_(output=self.output)
        pixels = maps[0].numel()
        if self.steps > pixels:
            raise SettingsError(f"pixel_flipping: expected at most as many steps as pixels, {pixels}, got {self.steps}")
        clean = scores(model, images, target)
        flipped = self._flipped_scores(model, images, target, maps, Draws.for_images(seed, images))
        ends = clean[:, None, None].expand(-1, self.fills, 1)
        curves = torch.cat([ends, flipped] if self.mode == "deletion" else [flipped, ends], 2)
        return self._conclude(curves, clean.abs())

    def _flipped_scores(
        self, model: Model, images: Tensor, target: Tensor, maps: Tensor, draws: Draws
    ) -> Float[Tensor, "b draws steps"]:
        """The scores of all images that hold a pixel of the fill."""
        insertion, pixels = self.mode == "insertion", maps[0].numel()
        steps = range(self.steps) if insertion else range(1, self.steps + 1)
        variants = PixelOrder(
            images,
            pixel_places(maps if self.order == "most" else -maps, draws),
            [step * pixels // self.steps for step in steps],
            lambda image, draw: self.fill(images[image], model.bounds, draws.rows(image), draw),
            insertion,
        )
        return variant_scores(model, images, target, self.fills * self.steps, variants).view(-1, self.fills, self.steps)

    def _conclude(self, curves: Float[Tensor, "b draws points"], scale: Float[Tensor, " b"]) -> Scores:
        scale = torch.where(scale > 0, scale, torch.nan)[:, None]
        areas = area(curves.flatten(0, 1), "trapezoid").view(curves.shape[:2]) / self.steps / scale
        sampled = self.fills > 1
        return Scores.of(
            areas.mean(1),
            error=areas.std(1) / self.fills**0.5 if sampled else torch.full_like(scale[:, 0], torch.nan),
            curve=curves.mean(1) / scale,
            missing="the clean score is zero or the network answered NaN, so nothing can be relative to it; follow another output",
        )
