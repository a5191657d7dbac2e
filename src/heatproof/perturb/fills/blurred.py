"""The image itself, blurred."""

from typing import ClassVar

from jaxtyping import Float
from pydantic import PositiveFloat
from torch import Tensor

from heatproof.numerics.blur import relative_blur
from heatproof.numerics.bounds import Bounds
from heatproof.perturb.draws import Draws, Index
from heatproof.perturb.fills.base import Fill


class Blurred(Fill):
    """The image, blurred by a Gaussian along each axis; tables, whose columns have no neighbours, are refused.

    sigma  the standard deviation, as a share of the shorter side (0.05 of 224 pixels is 11 pixels); where that is less than half a
           pixel, as for one row, as a share of the longer side.

    >>> import torch
    >>> from heatproof.models import Bounds
    >>> from heatproof.perturb.draws import Draws
    >>> from heatproof.perturb.fills import Blurred
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> fill = Blurred(sigma=0.1)(images, Bounds.of(0, 1, 1), Draws.for_images(0, images), 0)
    >>> fill.shape, bool(fill.std() < images.std())
    (torch.Size([2, 1, 28, 28]), True)
    """

    local: ClassVar[bool] = False
    needs_places: ClassVar[bool] = True

    sigma: PositiveFloat = 0.05

    def __call__(
        self, images: Float[Tensor, "b c *space"], bounds: Bounds, draws: Draws, index: Index
    ) -> Float[Tensor, "b c *space"]:
        return relative_blur(images, self.sigma)
