"""Edge strength by the Sobel operator."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from heatproof.numerics.wide import wide


def sobel(images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """The length of the Sobel gradient of each channel, with replicated borders.

    The kernel is divided by 8, so that the unit is intensity per pixel. Where neighbours are equal the result is exactly zero.

    >>> import torch
    >>> from heatproof.numerics.sobel import sobel
    >>> ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    >>> sobel(ramp)[0, 0, 3, 3]
    tensor(1.)
    """
    padded = F.pad(wide(images), (1, 1, 1, 1), mode="replicate")
    return torch.hypot(_slope(padded), _slope(padded.mT).mT).to(images.dtype)


def _slope(padded: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h-2 w-2"]:
    """The slope along rows, smoothed across them: differences come first, so that equal values give exactly zero."""
    difference = padded[..., 2:] - padded[..., :-2]
    return (difference[..., :-2, :] + 2 * difference[..., 1:-1, :] + difference[..., 2:, :]) / 8
