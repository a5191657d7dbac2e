"""Felzenszwalb's segments: pixels merged along the smallest differences of a graph.

Source: Felzenszwalb & Huttenlocher, "Efficient graph-based image segmentation", IJCV 2004; as in scikit-image.
"""

from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor

from heatproof.numerics.bounds import Bounds
from heatproof.perturb.draws import Draws
from heatproof.perturb.groups.base import Groups
from heatproof.perturb.groups.segments import segmented


class Felzenszwalb(Groups):
    """Segments whose size depends on the local contrast.

    scale        larger makes fewer and larger segments.
    sigma        the standard deviation, in pixels, of the blur before.
    least_size   the smallest number of pixels of a segment.

    >>> import torch
    >>> from heatproof.models import Bounds
    >>> from heatproof.perturb.draws import Draws
    >>> from heatproof.perturb.groups import Felzenszwalb
    >>> images = torch.zeros(1, 3, 16, 16)
    >>> images[..., 8:] = 1
    >>> Felzenszwalb(sigma=0)(images, Bounds.of(0, 1, 3), Draws.for_images(0, images)).counts
    (2,)
    """

    needs_images: ClassVar[bool] = True

    scale: PositiveFloat = 100.0
    sigma: NonNegativeFloat = 0.8
    least_size: PositiveInt = 50

    def divide(self, images: Float[Tensor, "b c h w"], bounds: Bounds, draws: Draws) -> Int[Tensor, "b 1 h w"]:
        from skimage.segmentation import felzenszwalb

        def segment(pixels: NDArray[np.float64], colour: bool) -> Any:
            return felzenszwalb(pixels, scale=self.scale, sigma=self.sigma, min_size=self.least_size, channel_axis=2)

        return segmented(images, bounds, segment)

    def count(self, image_shape: tuple[int, ...]) -> int:
        """About one segment for each five of the least size, as on photographs."""
        h, w = image_shape[-2:]
        return max(1, h * w // (5 * self.least_size))
