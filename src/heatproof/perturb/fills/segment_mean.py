"""The mean colour of each segment of the image itself."""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from heatproof.numerics.bounds import Bounds
from heatproof.perturb.draws import Draws, Index
from heatproof.perturb.fills.base import Fill
from heatproof.perturb.groups.base import Groups
from heatproof.perturb.groups.slic import Slic


class SegmentMean(Fill):
    """Every value gets the mean of its channel over the feature group that it belongs to; values of no group stay as they are.

    groups  the division into segments: SLIC superpixels by default. To replace each group of a method by its own mean, give the
            same division here and there.

    >>> import torch
    >>> from heatproof.models import Bounds
    >>> from heatproof.perturb.draws import Draws
    >>> from heatproof.perturb.fills import SegmentMean
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> fill = SegmentMean(groups={"name": "patches", "side": 14})(images, Bounds.of(0, 1, 1), Draws.for_images(0, images), 0)
    >>> [len(each.unique()) for each in fill]
    [4, 4]
    """

    local: ClassVar[bool] = False

    groups: Groups = Slic()

    def __call__(
        self, images: Float[Tensor, "b c *space"], bounds: Bounds, draws: Draws, index: Index
    ) -> Float[Tensor, "b c *space"]:
        return self.groups(images, bounds, draws).means(images)
