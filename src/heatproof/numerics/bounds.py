"""The range of legal values of an input, for each channel, in model space."""

from dataclasses import dataclass
from typing import Self

import torch
from jaxtyping import Float
from torch import Tensor

from heatproof.core.errors import TensorError


@dataclass(frozen=True, eq=False)
class Bounds:
    """The lower and the upper value of each channel, in the units of the network's input (model space).

    Everything that is said of pixels follows from them: black is the lower bound, white the upper bound, and a uniformly random
    colour is drawn from U[lower, upper].

    Raises:
        TensorError: A lower bound is not below its upper bound, or the two differ in length.

    >>> import torch
    >>> from heatproof.models import Bounds
    >>> bounds = Bounds.of(-1, 1, channels=3)
    >>> bounds.to_pixels(torch.zeros(1, 3, 2, 2)).unique()
    tensor([0.5000])
    """

    lower: Float[Tensor, " c"]
    upper: Float[Tensor, " c"]

    def __post_init__(self) -> None:
        if self.lower.shape != self.upper.shape or not bool((self.lower < self.upper).all()):
            raise TensorError(
                f"bounds: expected lower < upper for every channel, "
                f"got {self.lower.tolist()} and {self.upper.tolist()}; swap or mend them"
            )

    @classmethod
    def of(cls, lower: float, upper: float, channels: int) -> Self:
        """The same bounds for every channel."""
        return cls(torch.full((channels,), float(lower)), torch.full((channels,), float(upper)))

    @classmethod
    def from_mean_std(cls, mean: tuple[float, ...], std: tuple[float, ...]) -> Self:
        """The bounds of pixels in [0, 1] after the normalisation (pixel − mean) / std."""
        m, s = torch.tensor(mean, dtype=torch.float64), torch.tensor(std, dtype=torch.float64)
        return cls((-m / s).float(), ((1 - m) / s).float())

    def like(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Both bounds in a shape that broadcasts against images `[b, c, …]`, in their type and on their device."""
        shape = (1, -1, *[1] * (images.ndim - 2))
        return self.lower.to(images).view(shape), self.upper.to(images).view(shape)

    def to_pixels(self, images: Float[Tensor, "b c *space"]) -> Float[Tensor, "b c *space"]:
        """Values of model space mapped linearly, so that the lower bound becomes 0 and the upper bound 1."""
        lower, upper = self.like(images)
        return (images - lower) / (upper - lower)

    def from_pixels(self, pixels: Float[Tensor, "b c *space"]) -> Float[Tensor, "b c *space"]:
        """Pixels in [0, 1] mapped to model space."""
        lower, upper = self.like(pixels)
        return lower + pixels * (upper - lower)

    def overshoot(self, images: Float[Tensor, "b c *space"]) -> Float[Tensor, " b"]:
        """How far each image leaves its bounds, `[b]`: the largest distance of a value from the range of its channel, in units of
        that range. 0 = all values are legal.

        >>> import torch
        >>> from heatproof.models import Bounds
        >>> Bounds.of(0, 1, channels=1).overshoot(torch.tensor([[[0.0, 1.0]], [[-0.5, 0.5]], [[0.0, 255.0]]]))
        tensor([  0.0000,   0.5000, 254.0000])
        """
        pixels = self.to_pixels(images.detach())
        return torch.maximum(0 - pixels, pixels - 1).clamp(min=0).flatten(1).amax(1)

    def __str__(self) -> str:
        ends = [[f"{value:.4g}" for value in end.tolist()] for end in (self.lower, self.upper)]
        if all(len({*end}) == 1 for end in ends):
            ends = [end[:1] for end in ends]
        return " to ".join(", ".join(end) for end in ends)
