"""Changes of images that are applied before the images are explained again, such as added noise or masking."""

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
    """The inputs of one call of a change.

    images   the unchanged images `[b, c, …]`, in model space.
    bounds   the legal values of an image.
    target   the class `[b]` that is explained for each image.
    model    the network, for changes that search for the worst case; other changes do not use it.
    explain  returns the raw maps `[b, c, …]` of given images by the method under test.
    seed     all random numbers are drawn from it, by image.
    """

    images: Float[Tensor, "b c *space"]
    bounds: Bounds
    target: Int[Tensor, " b"]
    model: Any
    explain: Callable[[Tensor], Tensor]
    seed: int


class Change(Settings, ABC):
    """A family of changed images: the larger the level, the stronger the change.

    A change is called with a `ChangeContext` and a list of levels, and returns the images at each level.
    """

    home: ClassVar[tuple[str, ...]] = ("heatproof.perturb.changes", "heatproof.attacks")
    family: ClassVar[str] = "change"
    unit: ClassVar[str]
    """What a level measures; it labels the axis of a figure."""
    uses_maps: ClassVar[bool] = False
    """Whether the change depends on the maps of the method under test; otherwise it is the same for all methods."""

    def rows(self, levels: Sequence[float]) -> tuple[int, int]:
        """The most forward and backward passes that changing one image takes, apart from those of the maps it uses."""
        return 0, 0

    def check_fits(self, levels: Sequence[float], image_shape: tuple[int, ...]) -> None:
        """Check that images of this shape can be changed at these levels, before any is.

        Raises:
            SettingsError: They cannot.
        """
        return

    @abstractmethod
    def __call__(self, at: ChangeContext, levels: Sequence[float]) -> list[Float[Tensor, "b c *space"]]:
        """The images at each level, in the order of the levels; an image that cannot be changed as required is set to NaN."""
