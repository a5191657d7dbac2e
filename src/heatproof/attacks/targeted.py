"""Targeted attack: mass is brought into a region that somebody chose.

    D = Σ_{i ∈ R} S_i(x'),    R a rectangle, the top-left quarter unless told otherwise

Cost: see `gradient_attack.py`; 3 forward and 4 backward rows an image, a level and a step for a map of one point.
Source: Ghorbani, Abid & Zou, "Interpretation of neural networks is fragile", AAAI 2019, algorithm 1.
Differs from the paper: the region is a rectangle, the same shares of every image.
"""

from typing import Self

from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor

from heatproof.attacks.gradient_attack import GradientAttack


class Targeted(GradientAttack):
    """The map is made to point at a place of the attacker's choice; what lies there does not matter.

    top     first row of the rectangle, as a share of the image's height.
    left    first column, as a share of its width.
    height  how high it is, as a share of the image's height; at least one pixel.
    width   how wide, as a share of its width; at least one pixel.
    """

    top: float = Field(default=0.0, ge=0, lt=1)
    left: float = Field(default=0.0, ge=0, lt=1)
    height: float = Field(default=0.5, gt=0, le=1)
    width: float = Field(default=0.5, gt=0, le=1)

    @model_validator(mode="after")
    def _inside(self) -> Self:
        for begin, size in (("top", "height"), ("left", "width")):
            end = getattr(self, begin) + getattr(self, size)
            if end > 1:
                raise ValueError(f"{size}: expected {begin} + {size} of at most 1, the image, got {end:g}")
        if self.height == self.width == 1:
            raise ValueError("height, width: expected a rectangle smaller than the image, which holds all mass already")
        return self

    def rectangle(self, h: int, w: int) -> tuple[slice, slice]:
        """Its rows and columns in an image of h × w pixels."""
        return _pixels(self.top, self.height, h), _pixels(self.left, self.width, w)

    def objective(self, maps: Float[Tensor, "r h w"], start: Float[Tensor, "r h w"]) -> Float[Tensor, " r"]:
        rows, columns = self.rectangle(maps.shape[1], maps.shape[2])
        return maps[:, rows, columns].sum((1, 2))


def _pixels(begin: float, size: float, n: int) -> slice:
    first = min(round(begin * n), n - 1)
    return slice(first, max(first + 1, min(n, round((begin + size) * n))))
