"""Targeted attack: it moves the map's mass into a chosen region.

    D = Σ_{i ∈ R} S_i(x')

S_i the share of pixel i in the map's magnitude, x' the attacked image, R a rectangle, by default the top-left quarter.

Cost: 3 forward and 4 backward passes for each image, level and step, for a map of one term; see `gradient_attack.py` for others.
Source: Ghorbani, Abid & Zou, "Interpretation of neural networks is fragile", AAAI 2019, algorithm 1.
Differs from the paper because the region is a rectangle that takes the same share of every image.
"""

from typing import Self

from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor

from heatproof.attacks.gradient_attack import GradientAttack


class Targeted(GradientAttack):
    """The attack that makes the map point at a place of the attacker's choice, whatever the image shows there.

    top     first row of the rectangle, as a share of the image's height.
    left    first column, as a share of the image's width.
    height  height of the rectangle, as a share of the image's height; at least one pixel.
    width   width of the rectangle, as a share of the image's width; at least one pixel.

    >>> import torch
    >>> from heatproof.attacks import Targeted
    >>> from heatproof.methods import Gradient
    >>> from heatproof.models.loaders import Toy
    >>> from heatproof.perturb.changes import ChangeContext
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> target = model.outputs(images).argmax(1)
    >>> maps = lambda x: Gradient().attribute(model, x, target).values
    >>> context = ChangeContext(images, model.bounds, target, model, maps, seed=0)
    >>> clean, attacked = Targeted(steps=2)(context, [0, 0.05])
    >>> torch.equal(clean, images), attacked.shape
    (True, torch.Size([2, 1, 28, 28]))
    >>> round(float((attacked - images).abs().max()), 3) <= 0.05
    True
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
        """The rows and columns of the rectangle in an image of h × w pixels."""
        return _pixels(self.top, self.height, h), _pixels(self.left, self.width, w)

    def objective(self, maps: Float[Tensor, "r h w"], start: Float[Tensor, "r h w"]) -> Float[Tensor, " r"]:
        rows, columns = self.rectangle(maps.shape[1], maps.shape[2])
        return maps[:, rows, columns].sum((1, 2))


def _pixels(begin: float, size: float, n: int) -> slice:
    first = min(round(begin * n), n - 1)
    return slice(first, max(first + 1, min(n, round((begin + size) * n))))
