"""Segmentations of scikit-image as feature groups: the images as arrays that it takes, and its labels as numbers of groups."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from heatproof.numerics.bounds import Bounds

LIGHTNESS = 100.0
"""The largest lightness of a colour. Segmentations that compare colours as people see them compare other channels on this scale."""


def segmented(
    images: Float[Tensor, "b c h w"], bounds: Bounds, segment: Callable[[NDArray[np.float64], bool], NDArray[Any]]
) -> Int[Tensor, "b 1 h w"]:
    """The segments of each image, numbered from 0.

    Args:
        images: `[b, c, h, w]` in model space.
        bounds: from which pixels in [0, 1] are computed, as segmentations expect them.
        segment: `segment(pixels, colour)` labels an image `[h, w, c]`, c = 3 if `colour`. An image of one channel is given as grey
            colours; of any other number of channels but three, colour is False.
    """
    pixels = bounds.to_pixels(images.double()).clamp(0, 1).movedim(1, 3).cpu()
    if pixels.shape[3] == 1:
        pixels = pixels.expand(-1, -1, -1, 3)
    labels = [segment(np.ascontiguousarray(each.numpy()), pixels.shape[3] == 3) for each in pixels]
    numbered = [np.unique(each, return_inverse=True)[1].reshape(each.shape) for each in labels]
    return torch.from_numpy(np.stack(numbered).astype(np.int64))[:, None]
