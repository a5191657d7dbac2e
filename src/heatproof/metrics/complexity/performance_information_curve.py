"""Performance information curve: how well the network does on as much of an image as a map would have it see.

    value = Σ_k (y_k + y_{k−1}) / 2 (x_k − x_{k−1}),    x_k = max_{j ≤ k} clip((I_j − I_0) / (I_K − I_0), 0, 1)

Image k is the blurred image with a share s_k of its pixels, those first in the map's order, put back sharp: s_0 = 0, s_K = 1. I_k
is its information and y_k the network's performance on it. So a map is good that lets the network succeed early on little
information. Scattered pixels cost much of it as PNG; the entropy of pixel values hardly tells them from connected ones.

Grids: geometric, s_k = 0.005^{(K−k) / (K−1)}; linear, s_k = k / K. Pixels are ordered by the signed Σ_channels map; equal ones
stand in random order. The curve is told at K + 1 equal steps of information. Information is measured on 8-bit pixels; the length of
a PNG may differ by some bytes between builds of zlib.

Cost: 1 + K forward rows a map.
Source: Kapishnikov, Bolukbasi, Viégas & Terry, "XRAI: better attributions through regions", ICCV 2019.
Differs from the paper: the background is a Gaussian blur, so that no pixel is known before the map is asked, where the paper keeps
a random 1 %; performance is not rescaled to that of the two ends nor made monotone, so that a map that hides evidence is
seen to; the area is taken image by image, where the paper aggregates curves first, so that images can be compared in pairs.
"""

from io import BytesIO
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from PIL import Image
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor

from heatproof.core.errors import SettingsError
from heatproof.core.records import Direction, Reduction
from heatproof.metrics.base import ModelMetric
from heatproof.metrics.scores import Scores
from heatproof.models.model import Model
from heatproof.models.outputs import Probability
from heatproof.numerics.blur import gaussian_blur
from heatproof.numerics.bounds import Bounds
from heatproof.numerics.entropy import entropy
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.forward import checked_scores, raw_outputs, variant_outputs
from heatproof.perturb.draws import Draws
from heatproof.perturb.masks.pixel_order import PixelOrder, pixel_places

SMALLEST = 0.005
"""Share of the pixels that the geometric grid begins with."""


class PerformanceInformationCurve(ModelMetric):
    """Area under the curve of performance over information.

    steps        steps from the blurred image to the whole one, K.
    grid         geometric or linear shares of pixels.
    information  compressed: bytes of the image as PNG; entropy: of the histogram of its pixel values.
    performance  probability of the target, or accuracy: 1 where the target is the network's top-1.
    sigma        of the blur, as a share of the shorter side.
    """

    label: ClassVar[str] = "performance information curve"
    meaning: ClassVar[str] = "Mean performance, over shares of the image's information, as the map's pixels become sharp."
    better: ClassVar[Direction] = Direction.HIGHER
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    reduction: ClassVar[Reduction] = Reduction.SUM
    scale_invariant: ClassVar[bool] = True
    curve_axes: ClassVar[tuple[str, str]] = ("equal steps of information", "performance")
    cite: ClassVar[str] = "Kapishnikov et al., ICCV 2019"

    steps: PositiveInt = 16
    grid: Literal["geometric", "linear"] = "geometric"
    information: Literal["compressed", "entropy"] = "compressed"
    performance: Literal["probability", "accuracy"] = "probability"
    sigma: PositiveFloat = 0.05

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(1 + self.steps, clean=1)

    def revealed(self, pixels: int) -> list[int]:
        """Sharp pixels at each of the K + 1 points."""
        k = self.steps
        if self.grid == "linear":
            return [i * pixels // k for i in range(k + 1)]
        return [0, *(max(1, round(SMALLEST ** ((k - i) / (k - 1)) * pixels)) for i in range(1, k)), pixels]

    def measure(self, model: Model, images: Tensor, target: Tensor, maps: Tensor, seed: int) -> Scores:
        """Pixels are mixed in float64 where information is measured, so that no rounding to 8 bits depends on a batch."""
        pixels, k = maps[0].numel(), self.steps
        if k > pixels:
            raise SettingsError(f"{self.name}: expected at most as many steps as pixels, {pixels}, got {k}")
        model, shown = model.with_(output=Probability()), self.revealed(pixels)
        places = pixel_places(maps, Draws.for_images(seed, images))
        sharp = images.to("cpu", torch.float64)
        soft = gaussian_blur(sharp, self.sigma * min(images.shape[-2:]))
        mixed = PixelOrder(sharp, places.cpu(), shown, lambda image, _: soft[image], insertion=True)
        information = [self.measured(mixed([i] * (k + 1), list(range(k + 1))), model.bounds) for i in range(len(images))]

        performance = torch.empty(len(images), k + 1, dtype=torch.float64)
        performance[:, k] = self._performance(model, raw_outputs(model, images), target)
        blurred = soft.to(images)
        variants = PixelOrder(images, places, shown[:k], lambda image, _: blurred[image], insertion=True)
        for image, step, outputs in variant_outputs(model, images, k, variants):
            performance[image, step] = self._performance(model, outputs, target[image])
        return _conclude(torch.stack(information), performance, images)

    def measured(self, images: Float[Tensor, "r c h w"], bounds: Bounds) -> Float[Tensor, " r"]:
        """The information of each image's 8-bit pixels: bytes, or nats a value. Values beyond the bounds are cut off."""
        levels = (bounds.to_pixels(images).clamp(0, 1) * 255).round()
        if self.information == "entropy":
            counts = torch.stack([torch.bincount(each, minlength=256) for each in levels.flatten(1).long()])
            return entropy(counts.double())
        return torch.tensor([_compressed(each) for each in levels.byte()], dtype=torch.float64)

    def _performance(self, model: Model, outputs: Tensor, target: Tensor) -> Tensor:
        probability = checked_scores(model, outputs, target)
        found = outputs.argmax(1) == target if self.performance == "accuracy" else probability
        return found.to("cpu", torch.float64).masked_fill(probability.isnan().cpu(), torch.nan)


def _compressed(levels: Tensor) -> int:
    """Bytes of a PNG; what is neither grey nor in colour is laid out channel below channel."""
    held = levels.movedim(0, -1).squeeze(-1) if len(levels) in (1, 3) else levels.flatten(0, 1)
    file = BytesIO()
    Image.fromarray(held.contiguous().numpy()).save(file, format="PNG", optimize=False, compress_level=6)
    return file.tell()


def _conclude(held: Float[Tensor, "b points"], done: Float[Tensor, "b points"], like: Tensor) -> Scores:
    first, last = held[:, :1], held[:, -1:]
    share = ((held - first) / torch.where(last > first, last - first, torch.nan)).clamp(0, 1)
    x = share.nan_to_num(0).cummax(1).values
    value = ((done[:, 1:] + done[:, :-1]) / 2 * x.diff(dim=1)).sum(1)
    curve = _at_equal_steps(x, done)
    known = (last > first) & ~done.isnan().any(1, keepdim=True)
    return Scores.of(
        torch.where(known[:, 0], value, torch.nan).to(like),
        curve=torch.where(known, curve, torch.nan).to(like),
        missing="the blurred image holds as much information as the whole one, or the network answered NaN",
    )


def _at_equal_steps(x: Float[Tensor, "b points"], y: Float[Tensor, "b points"]) -> Float[Tensor, "b points"]:
    """The curve between its points by straight lines; of several at one x the last, where most pixels are sharp."""
    n = x.shape[1]
    at = torch.linspace(0, 1, n, dtype=x.dtype).expand_as(x).contiguous()
    right = torch.searchsorted(x.contiguous(), at, right=True).clamp(1, n - 1)
    x0, y0, x1, y1 = (each.gather(1, place) for place in (right - 1, right) for each in (x, y))
    width = x1 - x0
    return y0 + (y1 - y0) * torch.where(width > 0, (at - x0) / width, 1.0).clamp(0, 1)
