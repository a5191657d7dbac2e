"""Morphological dilation of a region by a disc."""

import torch
from jaxtyping import Bool
from torch import Tensor
from torch.nn.functional import conv2d


def dilate(inside: Bool[Tensor, "b h w"], radius: int) -> Bool[Tensor, "b h w"]:
    """The pixels whose centre is at most `radius` pixels from the centre of a pixel inside the region.

    >>> import torch
    >>> from heatproof.numerics.dilate import dilate
    >>> inside = torch.zeros(1, 9, 9, dtype=torch.bool)
    >>> inside[0, 4, 4] = True
    >>> int(dilate(inside, radius=1).sum())
    5
    """
    offset = torch.arange(-radius, radius + 1, device=inside.device)
    disc = (offset[:, None] ** 2 + offset**2 <= radius**2).float()
    return conv2d(inside[:, None].float(), disc[None, None], padding=radius)[:, 0] > 0.5
