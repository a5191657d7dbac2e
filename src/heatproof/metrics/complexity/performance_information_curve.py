"""Performance information curve: the network's performance on images that show only the pixels that a map ranks first.

    value = Σ_k (y_k + y_{k−1}) / 2 (x_k − x_{k−1}),    x_k = max_{j ≤ k} clip((I_j − I_0) / (I_K − I_0), 0, 1)

Image k is the blurred image in which a share s_k of the pixels, those first in the order of the map, is sharp; s_0 = 0 and s_K =
1. I_k is the information of image k and y_k the network's performance on it. A map scores high if the network performs well on
images of little information. Information is the size of the image as PNG, in which scattered pixels take up much room, or the
entropy of the pixel values, which hardly differs between scattered and connected pixels.

Grids: geometric, s_k = 0.005^{(K−k) / (K−1)}; linear, s_k = k / K. Pixels are ordered by the signed Σ_channels map; pixels of equal
relevance are in random order. `curve` is the performance at K + 1 equal steps of information. Information is measured on 8-bit
pixels; the size of a PNG may differ by some bytes between builds of zlib.

The explained output has to depend on a class, since probability and accuracy are those of a class; otherwise the score is NaN.

Cost: 1 + K forward passes a map.
Source: Kapishnikov, Bolukbasi, Viégas & Terry, "XRAI: better attributions through regions", ICCV 2019.
Differs from the paper because the background is a Gaussian blur of the whole image, so that no pixel is sharp unless the map ranks
it first, where the paper begins with a random 1 % of the pixels; performance is neither rescaled to that of the two ends nor made
monotone, so that a map that ranks the decisive pixels last is not hidden; the area is computed for each image, so that images can
be compared in pairs, where the paper aggregates curves first.
"""

from io import BytesIO
from math import prod
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
from heatproof.models.classes import decision
from heatproof.models.model import Model
from heatproof.models.outputs import Probability
from heatproof.numerics.blur import relative_blur
from heatproof.numerics.bounds import Bounds
from heatproof.numerics.entropy import entropy
from heatproof.numerics.wide import wide_type
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.forward import checked_scores, raw_outputs, variant_outputs
from heatproof.perturb.draws import Draws
from heatproof.perturb.masks.removal_order import RemovalOrder

SMALLEST = 0.005
"""The smallest share of sharp pixels of the geometric grid."""


class PerformanceInformationCurve(ModelMetric):
    """Area under the curve of performance over information.

    steps        The number of steps from the blurred image to the sharp one, K.
    grid         The shares of sharp pixels: `geometric` or `linear`.
    information  `compressed` is the number of bytes of the image as PNG, `entropy` that of the histogram of its pixel values.
    performance  `probability` is that of the target; `accuracy` is 1 where the target is the network's top-1 class, else 0.
    sigma        The standard deviation of the blur, as a share of the shorter side, or of the longer one where that is less than
                 half a pixel.

    >>> import torch
    >>> from heatproof.metrics import PerformanceInformationCurve
    >>> from heatproof.models.loaders import Toy
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> scores = PerformanceInformationCurve(steps=8).score(model, images, None, images)
    >>> tuple(scores.values.shape), tuple(scores.curve.shape)
    ((2,), (2, 9))
    """

    label: ClassVar[str] = "performance information curve"
    meaning: ClassVar[str] = "Mean performance, over shares of the image's information, as the map's pixels become sharp."
    better: ClassVar[Direction] = Direction.HIGHER
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    reduction: ClassVar[Reduction] = Reduction.SUM
    scale_invariant: ClassVar[bool] = True
    needs_images: ClassVar[bool] = True
    curve_axes: ClassVar[tuple[str, str]] = ("equal steps of information", "performance")
    cite: ClassVar[str] = "Kapishnikov et al., ICCV 2019"

    steps: PositiveInt = 16
    grid: Literal["geometric", "linear"] = "geometric"
    information: Literal["compressed", "entropy"] = "compressed"
    performance: Literal["probability", "accuracy"] = "probability"
    sigma: PositiveFloat = 0.05

    @property
    def needs_class(self) -> bool:
        return True

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(1 + self.steps, clean=1)

    def revealed(self, pixels: int) -> list[int]:
        """The number of sharp pixels at each of the K + 1 points, of so many pixels in all."""
        k = self.steps
        if self.grid == "linear":
            return [i * pixels // k for i in range(k + 1)]
        return [0, *(max(1, round(SMALLEST ** ((k - i) / (k - 1)) * pixels)) for i in range(1, k)), pixels]

    def check_fits(self, model: Model, image_shape: ImageShape) -> None:
        if self.steps > (pixels := prod(image_shape[1:])):
            raise SettingsError(
                f"{self.name}: steps: expected at most as many as pixels, {pixels}, got {self.steps}; take fewer steps"
            )

    def measure(self, model: Model, images: Tensor, target: Tensor, maps: Tensor, seed: int) -> Scores:
        """Pixels are mixed in float64 where information is measured, so that no rounding to 8 bits depends on a batch."""
        self.check_fits(model, tuple(images.shape[1:]))
        pixels, k = maps[0].numel(), self.steps
        model, shown = model.with_(output=Probability()), self.revealed(pixels)
        b, _, *space = images.shape
        draws = Draws.for_images(seed, images)
        order = RemovalOrder(maps.flatten(1), draws, (pixels,) * b, (tuple(shown),) * b, ("most",), insertion=True)

        def mixed(first: Tensor, rest: Tensor, image: list[int], step: list[int]) -> Tensor:
            sharp = order.present(image, step).view(-1, 1, *space).to(first.device)
            return torch.where(sharp, first[image], rest[image])

        steps, exact = list(range(k + 1)), images.to("cpu", torch.float64)
        soft = relative_blur(exact, self.sigma)
        information = [self.measured_information(mixed(exact, soft, [i] * (k + 1), steps), model.bounds) for i in range(b)]

        performance = torch.empty(len(images), k + 1, dtype=torch.float64)
        performance[:, k] = self._performance(model, raw_outputs(model, images), target)
        blurred = soft.to(images)
        for image, step, outputs in variant_outputs(model, images, k, lambda *at: mixed(images, blurred, *at)):
            performance[image, step] = self._performance(model, outputs, target[image])
        return _conclude(torch.stack(information), performance, images)

    def measured_information(self, images: Float[Tensor, "r c h w"], bounds: Bounds) -> Float[Tensor, " r"]:
        """The information `[r]` of images as 8-bit pixels: bytes, or nats a value. Values beyond the bounds are clipped."""
        levels = (bounds.to_pixels(images).clamp(0, 1) * 255).round()
        if self.information == "entropy":
            counts = torch.stack([torch.bincount(each, minlength=256) for each in levels.flatten(1).long()])
            return entropy(counts.double())
        return torch.tensor([_compressed(each) for each in levels.byte()], dtype=torch.float64)

    def _performance(self, model: Model, outputs: Tensor, target: Tensor) -> Tensor:
        probability = checked_scores(model, outputs, target)
        performance = decision(model, outputs) == target if self.performance == "accuracy" else probability
        return performance.to("cpu", torch.float64).masked_fill(probability.isnan().cpu(), torch.nan)


def _compressed(levels: Tensor) -> int:
    """The number of bytes of a PNG; if there are neither one nor three channels, they are placed one below another."""
    pixels = levels.movedim(0, -1).squeeze(-1) if len(levels) in (1, 3) else levels.flatten(0, 1)
    file = BytesIO()
    Image.fromarray(pixels.contiguous().numpy()).save(file, format="PNG", optimize=False, compress_level=6)
    return file.tell()


def _conclude(information: Float[Tensor, "b points"], performance: Float[Tensor, "b points"], like: Tensor) -> Scores:
    first, last = information[:, :1], information[:, -1:]
    share = ((information - first) / torch.where(last > first, last - first, torch.nan)).clamp(0, 1)
    x = share.nan_to_num(0).cummax(1).values
    value = ((performance[:, 1:] + performance[:, :-1]) / 2 * x.diff(dim=1)).sum(1)
    curve = _at_equal_steps(x, performance)
    known = (last > first) & ~performance.isnan().any(1, keepdim=True)
    return Scores.of(
        torch.where(known[:, 0], value, torch.nan).to(like.device, wide_type(like.dtype)),
        curve=torch.where(known, curve, torch.nan).to(like.device, wide_type(like.dtype)),
        missing="the blurred image holds as much information as the whole one, or the network answered NaN",
    )


def _at_equal_steps(x: Float[Tensor, "b points"], y: Float[Tensor, "b points"]) -> Float[Tensor, "b points"]:
    """The curve, linear between its points, at equal steps of x; of several points at one x, the last, with most sharp pixels."""
    n = x.shape[1]
    at = torch.linspace(0, 1, n, dtype=x.dtype).expand_as(x).contiguous()
    right = torch.searchsorted(x.contiguous(), at, right=True).clamp(1, n - 1)
    x0, y0, x1, y1 = (each.gather(1, place) for place in (right - 1, right) for each in (x, y))
    width = x1 - x0
    return y0 + (y1 - y0) * torch.where(width > 0, (at - x0) / width, 1.0).clamp(0, 1)
