"""Zero in model space: the mean colour for networks that normalise by mean and std, mid-grey for inputs in [−1, 1]."""

from jaxtyping import Float
from torch import Tensor

from heatproof.numerics.bounds import Bounds
from heatproof.perturb.draws import Draws, Index
from heatproof.perturb.fills.base import Fill


class Zero(Fill):
    """All zeros, in model space. For black pixels use `Black`."""

    def __call__(
        self, images: Float[Tensor, "b c *space"], bounds: Bounds, draws: Draws, index: Index
    ) -> Float[Tensor, "b c *space"]:
        return images.new_zeros(images.shape)
