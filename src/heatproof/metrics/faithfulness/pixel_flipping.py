"""Pixel flipping: how fast the score falls as the pixels a map calls relevant are replaced, or rises as they come back.

    y_k = 1/P Σ_p f(x^(k, p)) / f(x),  k = 0 … K,    value = Σ_k (s_k − s_{k−1}) (y_{k−1} + y_k) / 2,    s_k = ⌊k n / K⌋ / n

f is the explained score, x the image of n pixels (times of a signal, voxels of a volume, columns of a table), K the number of
steps and P the number of draws of the fill. For deletion, x^(k, p) is the image with the share s_k of its pixels replaced by
draw p of the fill; for insertion, it is draw p of the fill with that share of pixels taken from the image. The pixels are those
first in the order of the map. So y_0 = 1 for deletion and y_K = 1 for insertion, and a score that never changes has area 1.
Pixels are ordered by the signed Σ_channels map, and all channels of a pixel are replaced at once; pixels of equal relevance are
in random order. Where the clean score is not positive, or near zero, the value is NaN (`relative_to_clean` in
`metrics/scores.py`).

`error` is the standard error of the value over the P draws, each of which is one fill and one order of ties for the whole curve.

Cost: 1 + K P forward passes a map (P = 1 with a fill that is not random).
Source: Bach et al., PLoS ONE 2015 (flipping by order of relevance); Petsiuk, Das & Saenko, "RISE", BMVC 2018 (deletion, insertion,
area).
Differs from the papers because the score is relative to that of the clean image, so that images can be compared, and is the output
that the model explains, by default a logit (RISE uses the probability). RISE inserts into a blurred image: `fill="blurred"`. With
one fill and no ties, insertion of the most relevant pixels first is the same curve as deletion of the least relevant first, in
reverse, so that the two differ only by their fills.
"""

from math import prod
from typing import ClassVar, Literal, Self

import torch
from jaxtyping import Float
from pydantic import PositiveInt, model_validator
from torch import Tensor

from heatproof.core.errors import SettingsError
from heatproof.core.records import Direction, Reduction
from heatproof.metrics.base import ModelMetric
from heatproof.metrics.scores import Scores, relative_to_clean
from heatproof.models.model import Model
from heatproof.models.outputs import Output
from heatproof.numerics.places import places_of
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.forward import scores, variant_scores
from heatproof.perturb.draws import Draws
from heatproof.perturb.fills.base import Fill
from heatproof.perturb.fills.zero import Zero
from heatproof.perturb.masks.pixel_order import PixelOrder, pixel_places


class PixelFlipping(ModelMetric):
    """Area under the curve of deletion or insertion, over the share of pixels.

    steps   The number of steps from no pixel to all pixels, K, as equal as whole pixels allow.
    fill    The values that replace pixels.
    draws   The number of draws of the fill for each image, P; None means 10 for a random fill and 1, the only choice, for any
    other.
    order   Whether the most or the least relevant pixels come first.
    mode    `deletion` goes from the image to the fill, `insertion` from the fill to the image.
    output  The score that is measured; None means the one that the model explains.

    >>> import torch
    >>> from heatproof.metrics import PixelFlipping
    >>> from heatproof.models.loaders import Toy
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> scores = PixelFlipping(steps=8).score(model, images, None, images)
    >>> tuple(scores.values.shape), tuple(scores.curve.shape)
    ((2,), (2, 9))
    """

    label: ClassVar[str] = "pixel flipping"
    meaning: ClassVar[str] = "Mean score, relative to the clean image, while pixels are replaced in the order of the map."
    better: ClassVar[Direction] = Direction.LOWER
    bounds: ClassVar[tuple[float, float]] = (-torch.inf, torch.inf)
    reduction: ClassVar[Reduction] = Reduction.SUM
    scale_invariant: ClassVar[bool] = True
    needs_bounds: ClassVar[bool] = True
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
        """The number of draws of the fill for each image, P."""
        return self.draws or (10 if self.fill.stochastic else 1)

    @property
    def needs_class(self) -> bool:
        return self.output is not None and self.output.class_dependent

    def check_fits(self, model: Model, image_shape: ImageShape) -> None:
        if self.steps > (pixels := prod(places_of(image_shape))):
            raise SettingsError(
                f"pixel_flipping: steps: expected at most as many as pixels, {pixels}, got {self.steps}; take fewer steps"
            )

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(1 + self.steps * self.fills, clean=1)

    def measure(self, model: Model, images: Tensor, target: Tensor, maps: Tensor, seed: int) -> Scores:
        model = model if self.output is None else model.with_(output=self.output)
        self.check_fits(model, tuple(images.shape[1:]))
        clean = scores(model, images, target)
        flipped = self._flipped_scores(model, images, target, maps, Draws.for_images(seed, images))
        ends = clean[:, None, None].expand(-1, self.fills, 1)
        deletion = self.mode == "deletion"
        curves = torch.cat([ends, flipped] if deletion else [flipped, ends], 2)
        pixels = maps[0].numel()
        shares = torch.tensor(self._counts(pixels), dtype=torch.float64, device=curves.device) / pixels
        areas = torch.trapezoid(curves.double(), shares).to(curves.dtype)
        error = areas.std(1) / self.fills**0.5 if self.fills > 1 else None
        replaced = flipped[..., -1 if deletion else 0].mean(1)
        return relative_to_clean(Scores.of(areas.mean(1), error=error, curve=curves.mean(1)), clean, replaced)

    def _counts(self, pixels: int) -> list[int]:
        """The number of pixels that are replaced, or inserted, at each of the K + 1 points of the curve."""
        return [step * pixels // self.steps for step in range(self.steps + 1)]

    def _flipped_scores(
        self, model: Model, images: Tensor, target: Tensor, maps: Tensor, draws: Draws
    ) -> Float[Tensor, "b draws steps"]:
        """The scores of all images that hold a pixel of the fill."""
        insertion, counts = self.mode == "insertion", self._counts(maps[0].numel())
        ordered = maps if self.order == "most" else -maps
        variants = PixelOrder(
            images,
            lambda image, draw: pixel_places(ordered[image], draws.rows(image), draw),
            counts[:-1] if insertion else counts[1:],
            lambda image, draw: self.fill(images[image], model.bounds, draws.rows(image), draw),
            insertion,
        )
        return variant_scores(model, images, target, self.fills * self.steps, variants).view(-1, self.fills, self.steps)
