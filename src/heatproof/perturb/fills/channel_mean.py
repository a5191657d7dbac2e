"""The mean of each channel of the image itself."""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from heatproof.numerics.bounds import Bounds
from heatproof.perturb.draws import Draws, Index
from heatproof.perturb.fills.base import Fill


class ChannelMean(Fill):
    """One colour per image: its own mean over space."""

    local: ClassVar[bool] = False
    needs_images: ClassVar[bool] = True

    def __call__(
        self, images: Float[Tensor, "b c *space"], bounds: Bounds, draws: Draws, index: Index
    ) -> Float[Tensor, "b c *space"]:
        return images.flatten(2).mean(2).view(*images.shape[:2], *[1] * (images.ndim - 2)).expand_as(images)
