"""Edge strength by the Sobel operator."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from heatproof.numerics.wide import wide


def sobel(images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """The length of the Sobel gradient of each channel, with replicated borders.

    The kernel is divided by 8, so that the unit is intensity per pixel.

    >>> import torch
    >>> from heatproof.numerics.sobel import sobel
    >>> ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    >>> sobel(ramp)[0, 0, 3, 3]
    tensor(1.)
    """
    exact = wide(images)
    smooth, slope = torch.tensor([1.0, 2.0, 1.0]).to(exact) / 8, torch.tensor([-1.0, 0.0, 1.0]).to(exact)
    across = torch.outer(smooth, slope)
    kernel = torch.stack([across, across.T])[:, None]
    b, c, h, w = images.shape
    padded = F.pad(exact.reshape(b * c, 1, h, w), (1, 1, 1, 1), mode="replicate")
    return F.conv2d(padded, kernel).square().sum(1).sqrt().view(b, c, h, w).to(images.dtype)
