"""Gaussian noise ε ~ N(0, s²), independent for each pixel and channel.

    s = σ                          relative_to = "absolute"  (model space)
    s = σ (max x − min x)          relative_to = "image"     (each image's own range, as in the paper on SmoothGrad)
    s_c = σ (upper_c − lower_c)    relative_to = "bounds"    (a share of the legal range, comparable between networks)

Antithetic draws come in pairs ε, −ε: draws 2j and 2j + 1.

Source: Smilkov et al., "SmoothGrad: removing noise by adding noise", 2017 (σ relative to the image).
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import PositiveFloat
from torch import Tensor

from heatproof.numerics.bounds import Bounds
from heatproof.perturb.draws import Draws, Index
from heatproof.perturb.noises.base import Noise


class Gaussian(Noise):
    """Normal noise. All σ and all methods scale the numbers of one stream, so that comparisons between them are paired.

    sigma        standard deviation σ, in the units that `relative_to` names.
    relative_to  absolute (model space), image (each image's own range) or bounds (the legal range of the channel).
    antithetic   whether draws come in pairs ε, −ε, whose first-order effects cancel.

    >>> import torch
    >>> from heatproof.models import Bounds
    >>> from heatproof.perturb.draws import Draws
    >>> from heatproof.perturb.noises import Gaussian
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> noise = Gaussian(sigma=0.2, relative_to="bounds")(images, Bounds.of(0, 1, 1), Draws.for_images(0, images), 0)
    >>> noise.shape, round(noise.std().item(), 1)
    (torch.Size([2, 1, 28, 28]), 0.2)
    """

    sigma: PositiveFloat = 0.15
    relative_to: Literal["absolute", "image", "bounds"] = "image"
    antithetic: bool = False

    def __call__(
        self, images: Float[Tensor, "b c *space"], bounds: Bounds, draws: Draws, index: Index
    ) -> Float[Tensor, "b c *space"]:
        indices: Sequence[int] = [index] * len(images) if isinstance(index, int) else index
        noise = draws.normal("noise", [self.group(i) for i in indices], images.shape[1:])
        if self.antithetic:
            signs = torch.tensor([-1.0 if i % 2 else 1.0 for i in indices])
            noise = noise * signs.to(noise).view(-1, *[1] * (noise.ndim - 1))
        return noise * self._scale(images, bounds)

    def group(self, index: int) -> int:
        return index // 2 if self.antithetic else index

    def _scale(self, images: Tensor, bounds: Bounds) -> Tensor | float:
        if self.relative_to == "absolute":
            return self.sigma
        if self.relative_to == "image":
            flat = images.flatten(1)
            return self.sigma * (flat.amax(1) - flat.amin(1)).view(-1, *[1] * (images.ndim - 1))
        lower, upper = bounds.like(images)
        return self.sigma * (upper - lower)
