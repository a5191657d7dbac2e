"""SLIC superpixels: k-means of colours and places.

Source: Achanta et al., "SLIC superpixels compared to state-of-the-art superpixel methods", PAMI 2012; as in scikit-image.
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
from heatproof.perturb.groups.segments import LIGHTNESS, segmented


class Slic(Groups):
    """Compact segments of similar colour and size. An image of one colour has segments all the same.

    segments     about how many segments an image has.
    compactness  the weight of places against colours; higher makes the segments more square.
    sigma        the standard deviation, in pixels, of the blur before.

    >>> import torch
    >>> from heatproof.models import Bounds
    >>> from heatproof.perturb.draws import Draws
    >>> from heatproof.perturb.groups import Slic
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> Slic(segments=9)(images, Bounds.of(0, 1, 1), Draws.for_images(0, images)).counts
    (9, 9)
    """

    needs_images: ClassVar[bool] = True

    segments: PositiveInt = 50
    compactness: PositiveFloat = 10.0
    sigma: NonNegativeFloat = 0.0

    def divide(self, images: Float[Tensor, "b c h w"], bounds: Bounds, draws: Draws) -> Int[Tensor, "b 1 h w"]:
        from skimage.segmentation import slic

        def segment(pixels: NDArray[np.float64], colour: bool) -> Any:
            settings = {"n_segments": self.segments, "compactness": self.compactness, "sigma": self.sigma}
            return slic(pixels if colour else LIGHTNESS * pixels, **settings, convert2lab=colour, channel_axis=2)

        return segmented(images, bounds, segment)

    def count(self, image_shape: tuple[int, ...]) -> int:
        return self.segments
