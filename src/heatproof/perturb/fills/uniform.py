"""Noise within the bounds: every pixel and channel drawn from U[lower, upper]."""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from heatproof.numerics.bounds import Bounds
from heatproof.perturb.draws import Draws, Index
from heatproof.perturb.fills.base import Fill


class Uniform(Fill):
    """Independent uniform colours, the noise baseline and the replacement of the published perturbation curves."""

    stochastic: ClassVar[bool] = True

    def __call__(
        self, images: Float[Tensor, "b c *space"], bounds: Bounds, draws: Draws, index: Index
    ) -> Float[Tensor, "b c *space"]:
        return bounds.from_pixels(draws.uniform("uniform fill", index, images.shape[1:]))
