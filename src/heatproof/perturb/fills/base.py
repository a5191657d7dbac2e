"""The interface of fills: values that replace pixels, and baselines from which a path of integration starts."""

from abc import ABC, abstractmethod
from typing import Annotated, Any, ClassVar

import torch
from jaxtyping import Bool, Float
from pydantic import AfterValidator
from torch import Tensor

from heatproof.core.settings import Settings
from heatproof.numerics.bounds import Bounds
from heatproof.perturb.draws import Draws, Index


class Fill(Settings, ABC):
    """A fill: a call with images `[b, c, …]` in model space returns replacements of the same shape."""

    home: ClassVar[str] = "heatproof.perturb.fills"
    family: ClassVar[str] = "fill"
    stochastic: ClassVar[bool] = False
    """Whether the replacement is drawn at random."""
    local: ClassVar[bool] = True
    """Whether each pixel's replacement is made without looking at other pixels, so that a crop can be filled by itself."""
    needs_images: ClassVar[bool] = False
    """Whether the fill needs images `[b, c, h, w]`, and refuses tables `[b, f]` and signals `[b, c, t]`."""
    needs_places: ClassVar[bool] = False
    """Whether the fill needs images, signals or volumes `[b, c, d, h, w]`, and refuses tables."""

    @abstractmethod
    def __call__(
        self, images: Float[Tensor, "b c *space"], bounds: Bounds, draws: Draws, index: Index
    ) -> Float[Tensor, "b c *space"]:
        """The replacement of the index-th draw; `index` is one number for all images, or one for each."""

    @classmethod
    def value_hint(cls, value: Any) -> str:
        """The fill that a number or a tensor stands for in other libraries."""
        if isinstance(value, int | float) and not isinstance(value, bool):
            return 'write "zero"' if value == 0 else f"write Custom(values=torch.full(shape of one image, {value}))"
        return "write Custom(values=…), of heatproof.perturb.fills" if hasattr(value, "shape") else ""

    def check_baselines(self, n: int) -> None:
        """Refuse several draws of a baseline that is the same at every draw.

        Raises:
            ValueError: n is above 1 and the fill is not stochastic.
        """
        if n > 1 and not self.stochastic:
            raise ValueError(
                f"baselines: expected 1, since every draw of {self.name} is the same, got {n}; "
                "use baseline='uniform' to average over noise"
            )


class Imputation(Fill, ABC):
    """A fill whose values depend on which values are present: it estimates the absent ones from the present ones.

    Called as any other fill, it is told nothing of what is present, and makes a whole image of which everything is absent.
    """

    local: ClassVar[bool] = False

    @abstractmethod
    def impute(
        self,
        images: Float[Tensor, "b c *space"],
        present: Bool[Tensor, "b g *space"],
        bounds: Bounds,
        draws: Draws,
        index: Index,
    ) -> Float[Tensor, "b c *space"]:
        """The values that stand in for the absent ones; where `present` is True, whatever they are.

        Args:
            images: `[b, c, …]` in model space.
            present: `[b, 1 or c, …]`, which values are known.
            bounds: the legal values of the images.
            draws: the random numbers of each image.
            index: the number of the draw, one for all images or one for each.
        """

    def __call__(
        self, images: Float[Tensor, "b c *space"], bounds: Bounds, draws: Draws, index: Index
    ) -> Float[Tensor, "b c *space"]:
        return self.impute(images, torch.zeros_like(images[:, :1], dtype=torch.bool), bounds, draws, index)


def _of_the_image_alone(fill: Fill) -> Fill:
    if isinstance(fill, Imputation):
        raise ValueError(f"expected one that does not depend on what is present, got {fill.name}; use blurred")
    return fill


ImageFill = Annotated[Fill, AfterValidator(_of_the_image_alone)]
"""A fill that depends on the image alone, for what blends it with the image by shares: it refuses imputations."""
