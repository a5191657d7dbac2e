"""Black: the lower bound of every channel."""

from jaxtyping import Float
from torch import Tensor

from heatproof.numerics.bounds import Bounds
from heatproof.perturb.draws import Draws, Index
from heatproof.perturb.fills.base import Fill


class Black(Fill):
    """Every pixel gets the lower bound of its channel.

    >>> import torch
    >>> from heatproof.models import Bounds
    >>> from heatproof.perturb.draws import Draws
    >>> from heatproof.perturb.fills import Black
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> fill = Black()(images, Bounds.of(0, 1, 1), Draws.for_images(0, images), 0)
    >>> fill.shape, fill.unique()
    (torch.Size([2, 1, 28, 28]), tensor([0.]))
    """

    def __call__(
        self, images: Float[Tensor, "b c *space"], bounds: Bounds, draws: Draws, index: Index
    ) -> Float[Tensor, "b c *space"]:
        return bounds.like(images)[0].expand_as(images)
