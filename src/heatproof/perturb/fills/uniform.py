"""Noise within the bounds: every pixel and channel drawn from U[lower, upper]."""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from heatproof.numerics.bounds import Bounds
from heatproof.perturb.draws import Draws, Index
from heatproof.perturb.fills.base import Fill


class Uniform(Fill):
    """Every value is drawn uniformly between the bounds of its channel. It is the noise baseline, and the replacement of the
    published perturbation curves.

    >>> import torch
    >>> from heatproof.models import Bounds
    >>> from heatproof.perturb.draws import Draws
    >>> from heatproof.perturb.fills import Uniform
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> fill = Uniform()(images, Bounds.of(0, 1, 1), Draws.for_images(0, images), 0)
    >>> fill.shape, round(fill.mean().item(), 1)
    (torch.Size([2, 1, 28, 28]), 0.5)
    """

    stochastic: ClassVar[bool] = True

    def __call__(
        self, images: Float[Tensor, "b c *space"], bounds: Bounds, draws: Draws, index: Index
    ) -> Float[Tensor, "b c *space"]:
        return bounds.from_pixels(draws.uniform("uniform fill", index, images.shape[1:]))
