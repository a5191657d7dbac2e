"""Separable Gaussian blur of each channel of images, signals or volumes, mirrored at their borders (…, b, a | a, b, …)."""

from math import prod

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


def gaussian_blur(images: Float[Tensor, "b c *space"], sigma: float, truncate: float = 4.0) -> Float[Tensor, "b c *space"]:
    """Blur each channel. `sigma` is in pixels; the kernel ends at `truncate` standard deviations.

    >>> import torch
    >>> from heatproof.numerics.blur import gaussian_blur
    >>> gaussian_blur(torch.ones(1, 1, 28, 28), sigma=2.0).allclose(torch.ones(1, 1, 28, 28))
    True
    """
    blurred = wide(images)
    kernel = gaussian_kernel(sigma, truncate).to(blurred)
    for axis in range(2, images.ndim):
        blurred = _convolve(blurred, kernel, axis)
    return blurred.to(images.dtype)


LEAST_SIGMA = 0.5
"""The least standard deviation of `relative_blur`, in pixels: a neighbour has a seventh of the weight of the pixel itself."""


def relative_blur(images: Float[Tensor, "b c *space"], sigma: float) -> Float[Tensor, "b c *space"]:
    """Blur each channel; `sigma` is a share of the shorter side.

    Where that is less than half a pixel, as for a few rows, it is a share of the longer side, and at least half a pixel.

    >>> import torch
    >>> from heatproof.numerics.blur import relative_blur
    >>> signal = torch.linspace(-1, 1, 200).sign().view(1, 1, 1, 200)
    >>> relative_blur(signal, sigma=0.05)[0, 0, 0, [0, 100, 110]].round(decimals=2)
    tensor([-1.0000,  0.0400,  0.7100])
    """
    shorter, longer = min(images.shape[2:]), max(images.shape[2:])
    pixels = sigma * shorter
    return gaussian_blur(images, pixels if pixels >= LEAST_SIGMA else max(sigma * longer, LEAST_SIGMA))


def _convolve(images: Tensor, kernel: Tensor, axis: int) -> Tensor:
    radius = len(kernel) // 2
    padded = images.index_select(axis, _symmetric_index(images.shape[axis], radius).to(images.device))
    b, c, *space = images.shape
    n = padded.shape[axis]
    if axis == images.ndim - 1:
        out = F.conv2d(padded.reshape(b * c, 1, -1, n), kernel.view(1, 1, 1, -1))
    else:
        out = F.conv2d(padded.reshape(-1, 1, n, prod(space[axis - 1 :])), kernel.view(1, 1, -1, 1))
    return out.view(images.shape)


def _symmetric_index(length: int, radius: int) -> Tensor:
    position = torch.arange(-radius, length + radius) % (2 * length)
    return torch.where(position < length, position, 2 * length - 1 - position)
