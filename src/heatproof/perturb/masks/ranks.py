"""Ranks in which ties are broken at random, from the random numbers of the image."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.perturb.draws import Draws, Index


def random_tie_ranks(values: Float[Tensor, "b n"], draws: Draws, stream: str, index: Index = 0) -> Int[Tensor, "b n"]:
    """The rank of each value within its image, from 0 for the smallest; equal values are ordered at random.

    >>> import torch
    >>> from heatproof.perturb.draws import Draws
    >>> from heatproof.perturb.masks.ranks import random_tie_ranks
    >>> values = torch.tensor([[0.3, 0.1, 0.2]])
    >>> random_tie_ranks(values, Draws.for_images(0, values), "ties")
    tensor([[2, 0, 1]])
    """
    shuffled = draws.uniform(stream, index, values.shape[1:]).argsort(dim=1)
    order = shuffled.gather(1, values.gather(1, shuffled).argsort(dim=1, stable=True))
    position = torch.arange(values.shape[1], device=values.device).expand_as(order)
    return torch.empty_like(order).scatter_(1, order, position)
