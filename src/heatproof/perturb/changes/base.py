"""What is done to images, at a level."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from jaxtyping import Float, Int
from torch import Tensor

from heatproof.core.settings import Settings
from heatproof.numerics.bounds import Bounds


@dataclass(frozen=True, eq=False)
class ChangeContext:
    """What a change may look at.

    images   `[b, c, h, w]` untouched, in model space.
    bounds   of a legal image.
    target   `[b]` the class that is explained.
    model    the network, for changes that look for the worst; others leave it alone.
    explain  raw maps of given images, `[b, c, h, w]`, by the method that is looked at.
    seed     from which all that is random is drawn, by image.
    """

    images: Float[Tensor, "b c h w"]
    bounds: Bounds
    target: Int[Tensor, " b"]
    model: Any
    explain: Callable[[Tensor], Tensor]
    seed: int


class Change(Settings, ABC):
    """Images, changed more and more."""

    home: ClassVar[tuple[str, ...]] = ("heatproof.perturb.changes", "heatproof.attacks")
    family: ClassVar[str] = "change"
    unit: ClassVar[str]
    """What a level counts, for an axis."""
    uses_maps: ClassVar[bool] = False
    """Whether it looks at maps of the method; else it is the same for all methods."""

    def rows(self, levels: Sequence[float]) -> tuple[int, int]:
        """Forward and backward rows that it takes of an image, at most, apart from maps of the method."""
        return 0, 0

    @abstractmethod
    def __call__(self, at: ChangeContext, levels: Sequence[float]) -> list[Float[Tensor, "b c h w"]]:
        """The images at each level, in the order of the levels; NaN for one that cannot be changed as asked."""
