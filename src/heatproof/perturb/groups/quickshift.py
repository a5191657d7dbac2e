"""Quickshift segments: modes of the density of colours and places.

Source: Vedaldi & Soatto, "Quick shift and kernel methods for mode seeking", ECCV 2008; as in scikit-image. The defaults are those
of LIME for images.
"""

from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat
from torch import Tensor

from heatproof.numerics.bounds import Bounds
from heatproof.perturb.draws import Draws
from heatproof.perturb.groups.base import Groups
from heatproof.perturb.groups.segments import LIGHTNESS, segmented


class Quickshift(Groups):
    """Segments of similar colour, of any size and shape.

    kernel_size   the width of the density's kernel, in pixels; larger makes fewer segments.
    max_distance  the largest distance of a pixel to its mode; larger makes fewer segments.
    ratio         the weight of colours against places, from 0 to 1.

    >>> import torch
    >>> from heatproof.models import Bounds
    >>> from heatproof.perturb.draws import Draws
    >>> from heatproof.perturb.groups import Quickshift
    >>> images = torch.zeros(1, 3, 16, 16)
    >>> images[..., 8:] = 1
    >>> Quickshift(max_distance=10)(images, Bounds.of(0, 1, 3), Draws.for_images(0, images)).counts
    (2,)
    """

    needs_images: ClassVar[bool] = True

    kernel_size: PositiveFloat = 4.0
    max_distance: PositiveFloat = 200.0
    ratio: float = Field(default=0.2, ge=0, le=1)

    def divide(self, images: Float[Tensor, "b c h w"], bounds: Bounds, draws: Draws) -> Int[Tensor, "b 1 h w"]:
        from skimage.segmentation import quickshift

        def segment(pixels: NDArray[np.float64], colour: bool) -> Any:
            settings = {"kernel_size": self.kernel_size, "max_dist": self.max_distance, "ratio": self.ratio}
            scaled = pixels if colour else LIGHTNESS * pixels
            return quickshift(scaled, **settings, convert2lab=colour, rng=0, channel_axis=2)  # type: ignore[no-untyped-call]

        return segmented(images, bounds, segment)

    def count(self, image_shape: tuple[int, ...]) -> int:
        """About one segment for each square of four kernel sizes, as on photographs."""
        h, w = image_shape[-2:]
        return max(1, round(h * w / (4 * self.kernel_size) ** 2))
