"""Morphological dilation of a region by a disc; in a signal this is an interval, in a volume a ball."""

import torch
from jaxtyping import Bool
from torch import Tensor
from torch.nn.functional import conv1d, conv2d, conv3d

_CONVOLUTIONS = {1: conv1d, 2: conv2d, 3: conv3d}


def dilate(inside: Bool[Tensor, "b *space"], radius: int) -> Bool[Tensor, "b *space"]:
    """The places whose centre is at most `radius` places from the centre of a place inside the region.

    >>> import torch
    >>> from heatproof.numerics.dilate import dilate
    >>> inside = torch.zeros(1, 9, 9, dtype=torch.bool)
    >>> inside[0, 4, 4] = True
    >>> int(dilate(inside, radius=1).sum())
    5
    """
    axes = inside.ndim - 1
    offset = torch.arange(-radius, radius + 1, device=inside.device)
    squares = [(offset**2).view(-1, *[1] * after) for after in range(axes)]
    disc = (sum(squares, start=torch.zeros_like(squares[0])) <= radius**2).float()
    return _CONVOLUTIONS[axes](inside[:, None].float(), disc[None, None], padding=radius)[:, 0] > 0.5
