"""The mean of each channel of the image itself."""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from heatproof.numerics.bounds import Bounds
from heatproof.perturb.draws import Draws, Index
from heatproof.perturb.fills.base import Fill


class ChannelMean(Fill):
    """Every pixel gets the mean colour of its own image, every time the mean of its own signal; tables are refused.

    >>> import torch
    >>> from heatproof.models import Bounds
    >>> from heatproof.perturb.draws import Draws
    >>> from heatproof.perturb.fills import ChannelMean
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> fill = ChannelMean()(images, Bounds.of(0, 1, 1), Draws.for_images(0, images), 0)
    >>> [len(each.unique()) for each in fill], torch.allclose(fill.mean((1, 2, 3)), images.mean((1, 2, 3)))
    ([1, 1], True)
    """

    local: ClassVar[bool] = False
    needs_places: ClassVar[bool] = True

    def __call__(
        self, images: Float[Tensor, "b c *space"], bounds: Bounds, draws: Draws, index: Index
    ) -> Float[Tensor, "b c *space"]:
        return images.flatten(2).mean(2).view(*images.shape[:2], *[1] * (images.ndim - 2)).expand_as(images)
