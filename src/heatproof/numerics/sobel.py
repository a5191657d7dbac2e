"""Sobel edge strength."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def sobel(images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """Length of the Sobel gradient of each channel, borders replicated; per unit of intensity and pixel (kernel divided by 8)."""
    smooth, slope = torch.tensor([1.0, 2.0, 1.0]).to(images) / 8, torch.tensor([-1.0, 0.0, 1.0]).to(images)
    across = torch.outer(smooth, slope)
    kernel = torch.stack([across, across.T])[:, None]
    b, c, h, w = images.shape
    padded = F.pad(images.reshape(b * c, 1, h, w), (1, 1, 1, 1), mode="replicate")
    return F.conv2d(padded, kernel).square().sum(1).sqrt().view(b, c, h, w)
