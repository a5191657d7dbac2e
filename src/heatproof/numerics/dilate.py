"""A region grown by a margin."""

import torch
from jaxtyping import Bool
from torch import Tensor
from torch.nn.functional import conv2d


def dilate(inside: Bool[Tensor, "b h w"], radius: int) -> Bool[Tensor, "b h w"]:
    """The pixels whose centre is at most `radius` pixels from that of one inside."""
    offset = torch.arange(-radius, radius + 1, device=inside.device)
    disc = (offset[:, None] ** 2 + offset**2 <= radius**2).float()
    return conv2d(inside[:, None].float(), disc[None, None], padding=radius)[:, 0] > 0.5
