"""Masks of inputs whose regions are removed, or inserted, step by step in the order of a map.

    deletion   present where the region is not among the n_s first ones
    insertion  present where it is

n_s is the number of regions treated at step s. The first ones are the most relevant, or the least relevant; regions of equal
relevance are in random order, and one order is the reverse of the other. A region is a group of values, or a single place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from heatproof.perturb.draws import Draws, Index
from heatproof.perturb.masks.ranks import random_tie_ranks

Order = Literal["most", "least"]
"""Whether the most or the least relevant region is treated first."""


def region_places(relevance: Float[Tensor, "b n"], draws: Draws, index: Index = 0) -> Int[Tensor, "b n"]:
    """The place of each region, from 0 for the most relevant; equal ones stand in random order, one for each index.

    >>> import torch
    >>> from heatproof.perturb.draws import Draws
    >>> from heatproof.perturb.masks.removal_order import region_places
    >>> relevance = torch.tensor([[0.3, 0.1, 0.2]])
    >>> region_places(relevance, Draws.for_images(0, relevance))
    tensor([[0, 2, 1]])
    """
    return relevance.shape[1] - 1 - random_tie_ranks(relevance, draws, "pixel ties", index)


@dataclass(frozen=True, eq=False)
class RemovalOrder:
    """The masks along curves of some images: one curve for each draw and order, which all have the same number of points.

    relevance  The relevance of each region `[b, n]`; −∞ in columns beyond the number of an image's own regions.
    draws      The random numbers of each image, which put equal regions in order.
    sizes      The number of regions of each image.
    counts     The number of regions treated at each point of an image's curves, for each image.
    orders     The orders of the curves of one draw.
    insertion  Whether regions are inserted, rather than deleted.

    >>> import torch
    >>> from heatproof.perturb.draws import Draws
    >>> from heatproof.perturb.masks.removal_order import RemovalOrder
    >>> relevance = torch.tensor([[0.3, 0.1, 0.2]])
    >>> order = RemovalOrder(relevance, Draws.for_images(0, relevance), (3,), ((1, 2),), ("most", "least"), insertion=False)
    >>> order.present([0, 0, 0, 0], [0, 1, 2, 3])
    tensor([[False,  True,  True],
            [False,  True, False],
            [ True, False,  True],
            [ True, False, False]])
    """

    relevance: Float[Tensor, "b n"]
    draws: Draws
    sizes: Sequence[int]
    counts: Sequence[Sequence[int]]
    orders: tuple[Order, ...]
    insertion: bool

    @property
    def points(self) -> int:
        """The number of points of one curve."""
        return len(self.counts[0])

    def draw(self, _: list[int], variant: list[int]) -> list[int]:
        """The draw of each variant: variants go through the points of an order, the orders of a draw, and the draws."""
        return [v // (self.points * len(self.orders)) for v in variant]

    def present(self, image: list[int], variant: list[int]) -> Bool[Tensor, "r n"]:
        """The regions that are present in variant `variant[r]` of image `image[r]`. A curve's regions are ordered once a call."""
        number = {curve: n for n, curve in enumerate(dict.fromkeys(zip(image, self.draw(image, variant), strict=True)))}
        images, of_draw = (list(each) for each in zip(*number, strict=True))
        places = region_places(self.relevance[images], self.draws.rows(images), of_draw)
        if len(number) > 1:  # otherwise it is broadcast over the points
            places = places[[number[curve] for curve in zip(image, self.draw(image, variant), strict=True)]]
        first, end = [], []
        for i, v in zip(image, variant, strict=True):
            curve, point = divmod(v, self.points)
            least, count = self.orders[curve % len(self.orders)] == "least", self.counts[i][point]
            first.append(self.sizes[i] - count if least else 0)
            end.append(self.sizes[i] if least else count)
        first_place, end_place = (torch.tensor(each, device=places.device)[:, None] for each in (first, end))
        treated = (places >= first_place) & (places < end_place)
        return treated if self.insertion else ~treated
