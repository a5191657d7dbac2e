"""The legal values of an input, per channel, in model space."""

from dataclasses import dataclass
from typing import Self

import torch
from jaxtyping import Float
from torch import Tensor

from heatproof.core.errors import TensorError


@dataclass(frozen=True, eq=False)
class Bounds:
    """Lower and upper value of each channel, in the units the network sees.

    They carry all that is needed to speak of pixels: black = lower, white = upper, "uniform colour" = U[lower, upper].
    """

    lower: Float[Tensor, " c"]
    upper: Float[Tensor, " c"]

    def __post_init__(self) -> None:
        if self.lower.shape != self.upper.shape or not bool((self.lower < self.upper).all()):
            raise TensorError(f"bounds need lower < upper for every channel, got {self.lower.tolist()} and {self.upper.tolist()}")

    @classmethod
    def of(cls, lower: float, upper: float, channels: int) -> Self:
        """The same bounds for every channel."""
        return cls(torch.full((channels,), float(lower)), torch.full((channels,), float(upper)))

    @classmethod
    def from_mean_std(cls, mean: tuple[float, ...], std: tuple[float, ...]) -> Self:
        """Bounds of pixels in [0, 1] after (pixel − mean) / std."""
        m, s = torch.tensor(mean, dtype=torch.float64), torch.tensor(std, dtype=torch.float64)
        return cls((-m / s).float(), ((1 - m) / s).float())

    def like(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Lower and upper shaped to broadcast against `[b, c, …]` images, in their type and on their device."""
        shape = (1, -1, *[1] * (images.ndim - 2))
        return self.lower.to(images).view(shape), self.upper.to(images).view(shape)

    def to_pixels(self, images: Float[Tensor, "b c *space"]) -> Float[Tensor, "b c *space"]:
        """Model space → [0, 1]."""
        lower, upper = self.like(images)
        return (images - lower) / (upper - lower)

    def from_pixels(self, pixels: Float[Tensor, "b c *space"]) -> Float[Tensor, "b c *space"]:
        """[0, 1] → model space."""
        lower, upper = self.like(pixels)
        return lower + pixels * (upper - lower)
