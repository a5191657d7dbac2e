"""What a map is worth: what a method that seeks a better map seeks by.

Every metric that scores one map, with or without the network, is an objective. Methods know this base alone, and find a metric by
its name when one is asked for. An objective of one's own is a few lines:

    class Sparse(Objective):
        better: ClassVar[Direction] = Direction.HIGHER

        def worth(self, model, images, target, maps, *, seed=0):
            return maps.flatten(1).abs().amax(1) / maps.flatten(1).abs().sum(1)
"""

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Float, Int
from torch import Tensor

from heatproof.core.records import Direction
from heatproof.core.settings import Settings
from heatproof.models.model import Model
from heatproof.passes.counting import ImageShape, PassCount


class Objective(Settings, ABC):
    """One number a sample, and which way is better."""

    home: ClassVar[str] = "heatproof.metrics"
    family: ClassVar[str] = "objective"

    better: ClassVar[Direction]

    @property
    def direction(self) -> Direction:
        """Which way is better, under these settings."""
        return self.better

    @abstractmethod
    def worth(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        target: Int[Tensor, " b"],
        maps: Float[Tensor, "b c h w"],
        *,
        seed: int = 0,
    ) -> Float[Tensor, " b"]:
        """Of raw maps of these images for these targets; NaN where a map has none.

        All randomness comes from the seed and the image.
        """

    def cost(self, image_shape: ImageShape) -> PassCount:
        """Rows of the network that it takes for a map."""
        return PassCount()
