"""The image itself, out of focus."""

from typing import ClassVar

from jaxtyping import Float
from pydantic import PositiveFloat
from torch import Tensor

from heatproof.numerics.blur import gaussian_blur
from heatproof.numerics.bounds import Bounds
from heatproof.perturb.draws import Draws, Index
from heatproof.perturb.fills.base import Fill


class Blurred(Fill):
    """Gaussian blur; `sigma` as a share of the shorter side (0.05 of 224 pixels is 11 pixels). Takes images `[b, c, h, w]`."""

    local: ClassVar[bool] = False
    needs_images: ClassVar[bool] = True

    sigma: PositiveFloat = 0.05

    def __call__(self, images: Float[Tensor, "b c h w"], bounds: Bounds, draws: Draws, index: Index) -> Float[Tensor, "b c h w"]:
        return gaussian_blur(images, self.sigma * min(images.shape[-2:]))
