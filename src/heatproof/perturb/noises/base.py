"""The interface of additive noise."""

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from heatproof.core.settings import Settings
from heatproof.numerics.bounds import Bounds
from heatproof.perturb.draws import Draws, Index


class Noise(Settings, ABC):
    """Additive noise: a call with images `[b, c, …]` in model space returns noise of the same shape."""

    home: ClassVar[str] = "heatproof.perturb.noises"
    family: ClassVar[str] = "noise"

    @abstractmethod
    def __call__(
        self, images: Float[Tensor, "b c *space"], bounds: Bounds, draws: Draws, index: Index
    ) -> Float[Tensor, "b c *space"]:
        """The noise of the index-th draw; `index` is one number for all images, or one for each."""

    @abstractmethod
    def group(self, index: int) -> int:
        """The number of the independent group that a draw belongs to; draws that share random numbers share a group."""
