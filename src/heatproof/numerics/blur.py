"""Separable Gaussian blur of each channel, with the image mirrored at its borders (…, b, a | a, b, …)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from heatproof.numerics.wide import wide


def gaussian_kernel(sigma: float, truncate: float = 4.0) -> Float[Tensor, " taps"]:
    """Samples of a Gaussian out to `truncate` standard deviations, in float64, normalised to a sum of 1."""
    radius = int(truncate * sigma + 0.5)
    x = torch.arange(-radius, radius + 1, dtype=torch.float64)
    kernel = torch.exp(-0.5 * (x / sigma) ** 2) if sigma > 0 else torch.ones(1, dtype=torch.float64)
    return kernel / kernel.sum()


def gaussian_blur(images: Float[Tensor, "b c h w"], sigma: float, truncate: float = 4.0) -> Float[Tensor, "b c h w"]:
    """Blur each channel. `sigma` is in pixels; the kernel ends at `truncate` standard deviations.

    >>> import torch
    >>> from heatproof.numerics.blur import gaussian_blur
    >>> gaussian_blur(torch.ones(1, 1, 28, 28), sigma=2.0).allclose(torch.ones(1, 1, 28, 28))
    True
    """
    blurred = wide(images)
    kernel = gaussian_kernel(sigma, truncate).to(blurred)
    for axis in (2, 3):
        blurred = _convolve(blurred, kernel, axis)
    return blurred.to(images.dtype)


def _convolve(images: Tensor, kernel: Tensor, axis: int) -> Tensor:
    radius = len(kernel) // 2
    padded = images.index_select(axis, _symmetric_index(images.shape[axis], radius).to(images.device))
    b, c, h, w = padded.shape
    shape = (1, 1, -1, 1) if axis == 2 else (1, 1, 1, -1)
    out = F.conv2d(padded.reshape(b * c, 1, h, w), kernel.view(shape))
    return out.view(b, c, *out.shape[-2:])


def _symmetric_index(length: int, radius: int) -> Tensor:
    position = torch.arange(-radius, length + radius) % (2 * length)
    return torch.where(position < length, position, 2 * length - 1 - position)
