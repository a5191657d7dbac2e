"""Ranks without preference among equals: ties are broken at random, by the image's own draws."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.perturb.draws import Draws


def random_tie_ranks(values: Float[Tensor, "b n"], draws: Draws, stream: str) -> Int[Tensor, "b n"]:
    """Rank of each value of a row, 0 for the smallest; equal values stand in random order."""
    shuffled = draws.uniform(stream, 0, values.shape[1:]).argsort(dim=1)
    order = shuffled.gather(1, values.gather(1, shuffled).argsort(dim=1, stable=True))
    position = torch.arange(values.shape[1], device=values.device).expand_as(order)
    return torch.empty_like(order).scatter_(1, order, position)
