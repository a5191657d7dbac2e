"""Noisy linear imputation: each absent pixel is the weighted mean of its eight neighbours, present or absent, plus noise.

    v_i Σ_j w_ij = Σ_j w_ij v_j + noise,    w = 1/6 for the four nearest neighbours and 1/12 for the four diagonal ones

over the neighbours j inside the image; v_j = x_j where j is present. The equations of all absent pixels are solved together, by
conjugate gradients for a whole batch at once, from a start that is interpolated from coarse to fine.

Source: Rong et al., "A consistent and efficient evaluation strategy for attribution methods" (ROAD), ICML 2022.
Differs from the paper because the noise is a share of the range of the bounds, so that it means the same for every network, and
because an image with no pixel present, which leaves nothing to interpolate, gets the mean of each of its channels.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from pydantic import PositiveFloat
from torch import Tensor

from heatproof.numerics.bounds import Bounds
from heatproof.numerics.wide import wide
from heatproof.perturb.draws import Draws, Index
from heatproof.perturb.fills.base import Imputation

SIDE, CORNER = 1 / 6, 1 / 12
RESIDUAL = 1e-7
"""The residual, relative to the right side, at which an image's equations are solved."""


class NoisyLinear(Imputation):
    """Absent pixels, interpolated linearly from the present ones and disturbed by noise. It hides which pixels are absent.

    noise  the standard deviation of the noise, as a share of the range from the lower to the upper bound.

    >>> import torch
    >>> from heatproof.models import Bounds
    >>> from heatproof.perturb.draws import Draws
    >>> from heatproof.perturb.fills import NoisyLinear
    >>> images = torch.linspace(0, 1, 28).expand(1, 1, 28, 28)
    >>> present = torch.ones(1, 1, 28, 28, dtype=torch.bool)
    >>> present[..., 10:18, 10:18] = False
    >>> fill = NoisyLinear(noise=1e-6).impute(images, present, Bounds.of(0, 1, 1), Draws.for_images(0, images), 0)
    >>> torch.allclose(fill, images, atol=1e-4)
    True
    """

    stochastic: ClassVar[bool] = True
    needs_images: ClassVar[bool] = True

    noise: PositiveFloat = 0.01

    def impute(
        self, images: Float[Tensor, "b c h w"], present: Bool[Tensor, "b g h w"], bounds: Bounds, draws: Draws, index: Index
    ) -> Float[Tensor, "b c h w"]:
        known, values = (each.flatten(0, 1)[:, None] for each in (present.expand(images.shape), wide(images)))
        # On a CPU, one plane stays in the cache and ends when it is solved: a third of the time, and the same numbers.
        planes = 1 if values.device.type == "cpu" else max(1, len(values))
        solved = [_interpolated(*part) for part in zip(torch.split(values, planes), torch.split(known, planes), strict=True)]
        smooth = torch.cat(solved).view(images.shape).to(images.dtype)
        lower, upper = bounds.like(images)
        return smooth + self.noise * (upper - lower) * draws.normal("noisy linear fill", index, images.shape[1:])


def _interpolated(values: Float[Tensor, "n 1 h w"], known: Bool[Tensor, "n 1 h w"]) -> Float[Tensor, "n 1 h w"]:
    """The solution of the equations without noise, in float64 where the values are."""
    kernel = values.new_tensor([[CORNER, SIDE, CORNER], [SIDE, 0, SIDE], [CORNER, SIDE, CORNER]])[None, None]

    def neighbours(v: Tensor) -> Tensor:
        return F.conv2d(v, kernel, padding=1)

    weight, absent = neighbours(torch.ones_like(values)), (~known).to(values)
    nothing = ~known.flatten(1).any(1)
    mean = values.mean((2, 3), keepdim=True)
    target = absent * neighbours(values * known)
    v = absent * _coarse_to_fine(values, known, mean)
    residual = target - absent * (weight * v - neighbours(v))
    enough = RESIDUAL**2 * _dot(target, target)
    step = residual / weight
    product, direction = _dot(residual, step), step
    for _ in range(4 * (values.shape[2] + values.shape[3])):
        open_ = (_dot(residual, residual) > enough) & ~nothing[:, None, None, None]
        if not bool(open_.any()):
            break
        applied = absent * (weight * direction - neighbours(direction))
        length = torch.where(open_, product / _dot(direction, applied).clamp(min=torch.finfo(values.dtype).tiny), 0.0)
        v, residual = v + length * direction, residual - length * applied
        step = residual / weight
        product, before = _dot(residual, step), product
        direction = step + torch.where(open_, product / before.clamp(min=torch.finfo(values.dtype).tiny), 0.0) * direction
    return torch.where(nothing[:, None, None, None], mean, torch.where(known, values, v))


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((1, 2, 3), keepdim=True)


def _coarse_to_fine(values: Tensor, known: Tensor, mean: Tensor) -> Tensor:
    """Each absent value, from the mean of the known ones around it at the finest scale that has any."""
    weight = known.to(values)
    if bool(weight.flatten(1).all()):
        return values
    if max(values.shape[2:]) == 1:
        return torch.where(known, values, mean)
    sums, counts = (F.avg_pool2d(each, 2, ceil_mode=True, divisor_override=1) for each in (values * weight, weight))
    coarse = _coarse_to_fine(sums / counts.clamp(min=1), counts > 0, mean)
    return torch.where(known, values, F.interpolate(coarse, size=values.shape[2:], mode="nearest"))
