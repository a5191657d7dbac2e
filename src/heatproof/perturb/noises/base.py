"""What is added to images."""

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from heatproof.core.settings import Settings
from heatproof.numerics.bounds import Bounds
from heatproof.perturb.draws import Draws, Index


class Noise(Settings, ABC):
    """Images `[b, c, …]` in model space → additive noise of the same shape."""

    home: ClassVar[str] = "heatproof.perturb.noises"
    family: ClassVar[str] = "noise"

    @abstractmethod
    def __call__(
        self, images: Float[Tensor, "b c *space"], bounds: Bounds, draws: Draws, index: Index
    ) -> Float[Tensor, "b c *space"]:
        """The index-th draw; `index` is one number or one per row."""

    @abstractmethod
    def group(self, index: int) -> int:
        """Number of the independent group that a draw belongs to: draws that share randomness share a group."""
