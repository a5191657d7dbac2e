"""Zero in model space: the mean colour for networks that normalise by mean and std, mid-grey for inputs in [−1, 1]."""

from jaxtyping import Float
from torch import Tensor

from heatproof.numerics.bounds import Bounds
from heatproof.perturb.draws import Draws, Index
from heatproof.perturb.fills.base import Fill


class Zero(Fill):
    """Every value is zero in model space. `Black` gives black pixels.

    >>> import torch
    >>> from heatproof.models import Bounds
    >>> from heatproof.perturb.draws import Draws
    >>> from heatproof.perturb.fills import Zero
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> fill = Zero()(images, Bounds.of(0, 1, 1), Draws.for_images(0, images), 0)
    >>> fill.shape, fill.unique()
    (torch.Size([2, 1, 28, 28]), tensor([0.]))
    """

    def __call__(
        self, images: Float[Tensor, "b c *space"], bounds: Bounds, draws: Draws, index: Index
    ) -> Float[Tensor, "b c *space"]:
        return images.new_zeros(images.shape)
