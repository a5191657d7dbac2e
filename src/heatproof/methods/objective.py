"""The base class of objectives: the number by which a method compares candidate maps when it searches for the best one.

Every metric that scores one map, with or without the network, is an objective. Methods import this base class alone; a setting of
this type looks the metric up by its name when it is read.
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
    """One number per image, and the direction in which it is better.

    An objective of your own is a few lines:

    >>> import torch
    >>> from heatproof.core.records import Direction
    >>> from heatproof.methods.objective import Objective
    >>> class Peak(Objective):
    ...     better = Direction.HIGHER
    ...
    ...     def objective_value(self, model, images, target, maps, *, seed=0):
    ...         return maps.flatten(1).abs().amax(1) / maps.flatten(1).abs().sum(1)
    >>> Peak().objective_value(None, None, None, torch.ones(2, 1, 2, 2))
    tensor([0.2500, 0.2500])
    """

    home: ClassVar[str] = "heatproof.metrics"
    family: ClassVar[str] = "objective"

    better: ClassVar[Direction]
    """Whether higher or lower values are better."""

    @property
    def direction(self) -> Direction:
        """Whether higher or lower values are better under these settings; by default `better`."""
        return self.better

    @abstractmethod
    def objective_value(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        target: Int[Tensor, " b"],
        maps: Float[Tensor, "b c h w"],
        *,
        seed: int = 0,
    ) -> Float[Tensor, " b"]:
        """The value of each map, `[b]`.

        Args:
            model: the network that was explained.
            images: `[b, c, h, w]` in model space.
            target: `[b]` the explained class of each image.
            maps: `[b, c, h, w]` raw maps of these images for these targets.
            seed: every random number is determined by the seed and the content of the image.

        Returns:
            One number per image, NaN where the map has no value.
        """

    def cost(self, image_shape: ImageShape) -> PassCount:
        """The forward and backward passes that the value of one map costs."""
        return PassCount()
