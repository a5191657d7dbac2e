"""Networks of a few lines whose true attributions are known, each with the trouble that it gives to methods or to metrics.

In the spirit of "XAI-Units: benchmarking explainability methods with unit tests", 2025: continuous features, conflicting and
interacting ones, pertinent negatives, shattered gradients, Boolean functions. Images are 4 × 4 pixels of one channel, of which the
network uses the first two rows at most. The truth is the Shapley value from an image of zeros, unless the network says
otherwise.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tests.support import zoo

SIDE, A, B = 4, 1, 4
"""The numbers of the two pixels that matter, where there are two."""
OFFSET = 3.0
"""Added to each function, so that scores to which others are relative are positive."""


class OfPixels(nn.Module):
    """OFFSET plus a function of the flattened pixels."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function, self.offset = function, nn.Parameter(torch.tensor(OFFSET))

    def forward(self, x: Tensor) -> Tensor:
        return (self.offset + self.function(x.flatten(1)))[:, None]


@dataclass(frozen=True)
class KnownNetwork:
    """A function of pixels with its truth.

    why       The trouble in one sentence.
    function  The function of the flattened pixels `[b, 16]`.
    truth     The true attributions `[b, 16]` of flattened images.
    pixels    The values of the pixels A and B.
    right     The methods whose maps are proportional to the truth.
    wrong     Those whose maps have a cosine below .97 with the truth, or are zero.
    fill      The fill by which metrics can see the truth.
    blind     The metrics that do not prefer the truth to the same values at other pixels.
    """

    why: str
    function: Callable[[Tensor], Tensor]
    truth: Callable[[Tensor], Tensor]
    pixels: tuple[float, float]
    right: tuple[str, ...]
    wrong: tuple[str, ...]
    fill: str = "zero"
    blind: tuple[str, ...] = ()

    def build(self) -> nn.Module:
        return OfPixels(self.function)

    def images(self, n: int = 3) -> Tensor:
        """Random pixels, but for A and B."""
        images = 0.2 + 0.6 * torch.rand(n, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(5))
        images.flatten(1)[:, [A, B]] = torch.tensor(self.pixels)
        return images

    def map(self, images: Tensor) -> Tensor:
        return self.truth(images.flatten(1)).view_as(images)


def only(**values: float | Tensor) -> Callable[[Tensor], Tensor]:
    """A map of given values at pixels A and B, and zero elsewhere."""

    def truth(x: Tensor) -> Tensor:
        maps = torch.zeros_like(x)
        maps[:, A], maps[:, B] = values.get("a", 0.0), values.get("b", 0.0)
        return maps

    return truth


FROM_THE_MOST = ("aopc", "irof", "pixel_flipping", "perturbation_curve")
"""Curves that delete the most relevant first: where A acts only once B is gone, A and then B change nothing."""
OF_SINGLES = ("single_deletion", "infidelity of cells", "saco")
"""Metrics of single deletions (SaCo with a part for each pixel is one): where none of these changes anything, they tell nothing."""
WEIGHTS = zoo.normal(8, seed=3)

KNOWN = {
    "continuous": KnownNetwork(
        "a weighted sum: the gradient is the weight, and no contribution",
        lambda x: x[:, :8] @ WEIGHTS,
        lambda x: torch.cat([x[:, :8] * WEIGHTS, torch.zeros_like(x[:, 8:])], 1),
        (0.9, 0.1),
        right=("input_x_gradient", "integrated_gradients", "occlusion", "shapley_sampling"),
        wrong=("gradient", "smooth_grad"),
    ),
    "conflicting": KnownNetwork(
        "B cancels A behind a bend, so that no gradient knows that either matters",
        lambda x: (x[:, A] - 4 * x[:, B]).relu(),
        only(a=0.4, b=-0.4),
        (0.8, 0.9),
        right=("shapley_sampling",),
        wrong=("gradient", "smooth_grad", "input_x_gradient", "integrated_gradients", "occlusion"),
        blind=FROM_THE_MOST,
    ),
    "interacting": KnownNetwork(
        "a product, whose factors share it equally, whatever their sizes",
        lambda x: x[:, A] * x[:, B],
        only(a=0.16, b=0.16),
        (0.8, 0.4),
        right=("input_x_gradient", "integrated_gradients", "occlusion", "shapley_sampling"),
        wrong=("gradient", "smooth_grad"),
    ),
    "pertinent negative": KnownNetwork(
        "what counts is that A is absent: no comparison with zeros can see it",
        lambda x: 1 - x[:, A],
        only(a=1.0),
        (0.0, 0.5),
        right=(),
        wrong=("gradient", "smooth_grad", "input_x_gradient", "integrated_gradients", "occlusion", "shapley_sampling"),
        fill="white",
    ),
    "shattered": KnownNetwork(
        "a ripple of B, too small to matter, whose slope hides that of A",
        lambda x: x[:, A] + 0.01 * (500 * x[:, B]).sin(),
        only(a=0.8),
        (0.8, 0.5),
        right=("occlusion", "shapley_sampling", "integrated_gradients"),
        wrong=("gradient", "input_x_gradient"),
    ),
    "and": KnownNetwork(
        "both are needed",
        lambda x: (x[:, A] + x[:, B] - 1).relu(),
        only(a=0.5, b=0.5),
        (1.0, 1.0),
        right=("gradient", "smooth_grad", "input_x_gradient", "integrated_gradients", "occlusion", "shapley_sampling"),
        wrong=(),
    ),
    "or": KnownNetwork(
        "either is enough: the gradient is zero, and no single deletion changes anything",
        lambda x: 1 - (1 - x[:, A] - x[:, B]).relu(),
        only(a=0.5, b=0.5),
        (1.0, 1.0),
        right=("integrated_gradients", "shapley_sampling"),
        wrong=("gradient", "smooth_grad", "input_x_gradient", "occlusion"),
        blind=OF_SINGLES,
    ),
}
