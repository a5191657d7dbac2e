"""Nearest-neighbour imputation: each absent value is that of the nearest place of its channel that is present."""

from math import prod
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from heatproof.numerics.bounds import Bounds
from heatproof.numerics.wide import wide
from heatproof.perturb.draws import Draws, Index
from heatproof.perturb.fills.base import Imputation


class NearestNeighbour(Imputation):
    """Absent values, copied from the nearest present ones, so that a region is painted in the colours at its edge.

    The distance is the number of steps along the axes. Of several places at the same distance, the first one in reading order is
    copied. An image with no value present, which leaves nothing to copy, gets the mean of each of its channels.

    >>> import torch
    >>> from heatproof.models import Bounds
    >>> from heatproof.perturb.draws import Draws
    >>> from heatproof.perturb.fills import NearestNeighbour
    >>> signal = torch.tensor([[[1.0, 2.0, 3.0, 4.0, 5.0]]])
    >>> present = torch.tensor([[[True, False, False, False, True]]])
    >>> NearestNeighbour().impute(signal, present, Bounds.of(0, 9, 1), Draws.for_images(0, signal), 0)
    tensor([[[1., 1., 1., 5., 5.]]])
    """

    needs_places: ClassVar[bool] = True

    def impute(
        self, images: Float[Tensor, "b c *space"], present: Bool[Tensor, "b g *space"], bounds: Bounds, draws: Draws, index: Index
    ) -> Float[Tensor, "b c *space"]:
        source = nearest_present(present).flatten(2).expand(-1, images.shape[1], -1)
        copied = images.flatten(2).gather(2, source.clamp(min=0))
        mean = wide(images).flatten(2).mean(2, keepdim=True).to(images.dtype)
        return torch.where(source < 0, mean, copied).view(images.shape)


def nearest_present(present: Bool[Tensor, "b g *space"]) -> Int[Tensor, "b g *space"]:
    """The number, in reading order, of the nearest present place of each place; −1 where nothing of an image is present.

    Exact, by one sweep to and fro along each axis, since steps along the axes add up.

    >>> import torch
    >>> from heatproof.perturb.fills.nearest_neighbour import nearest_present
    >>> nearest_present(torch.tensor([[[False, True, False, False, True, False]]]))
    tensor([[[1, 1, 1, 4, 4, 4]]])
    """
    space = present.shape[2:]
    n, most = prod(space), sum(space) + 1
    number = torch.arange(n, device=present.device).view(space)
    # distance and number in one integer, so that the least is the first one of the nearest
    key = torch.where(present, number, most * n)
    for axis, length in enumerate(space, 2):
        steps = (n * torch.arange(length, device=present.device)).view(-1, *[1] * (len(space) + 1 - axis))
        after = (key - steps).cummin(axis).values + steps
        before = (key + steps).flip(axis).cummin(axis).values.flip(axis) - steps
        key = torch.minimum(after, before)
    return torch.where(key < most * n, key % n, -1)
