"""Normal noise around the middle of the bounds."""

from typing import ClassVar

from jaxtyping import Float
from pydantic import PositiveFloat
from torch import Tensor

from heatproof.numerics.bounds import Bounds
from heatproof.perturb.draws import Draws, Index
from heatproof.perturb.fills.base import Fill


class Normal(Fill):
    """Every value is drawn from a normal distribution at the middle of its channel's bounds, and limited to the bounds.

    sigma  the standard deviation, as a share of the range from the lower to the upper bound.

    >>> import torch
    >>> from heatproof.models import Bounds
    >>> from heatproof.perturb.draws import Draws
    >>> from heatproof.perturb.fills import Normal
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> fill = Normal(sigma=0.1)(images, Bounds.of(0, 1, 1), Draws.for_images(0, images), 0)
    >>> fill.shape, round(fill.mean().item(), 1), round(fill.std().item(), 1)
    (torch.Size([2, 1, 28, 28]), 0.5, 0.1)
    """

    stochastic: ClassVar[bool] = True

    sigma: PositiveFloat = 0.2

    def __call__(
        self, images: Float[Tensor, "b c *space"], bounds: Bounds, draws: Draws, index: Index
    ) -> Float[Tensor, "b c *space"]:
        noise = draws.normal("normal fill", index, images.shape[1:])
        return bounds.from_pixels((0.5 + self.sigma * noise).clamp(0, 1))
