"""The Gaussian pyramid of a map.

Level 0 is the map itself. Each further level is the level before, blurred with σ = factor / 3 and resized bilinearly (half-pixel
centres, no further anti-aliasing) to ⌈side / factor⌉, as long as the shorter side stays at or above the smallest allowed one: 224 →
150, 100, 67, 45, 30.

Source: Burt & Adelson 1983, with the conventions of scikit-image 0.16's `pyramid_gaussian`, which the published AUTVC figures used.
"""

import math
from collections.abc import Iterator

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from heatproof.numerics.blur import gaussian_blur


def pyramid(maps: Float[Tensor, "b c h w"], factor: float = 1.5, smallest_side: float = 30) -> Iterator[Tensor]:
    """Yield the levels, finest first, each `[b, c, h_l, w_l]`. Level 0 is yielded whatever its size.

    >>> import torch
    >>> from heatproof.numerics.pyramid import pyramid
    >>> [level.shape[-1] for level in pyramid(torch.zeros(1, 1, 224, 224))]
    [224, 150, 100, 67, 45, 30]
    """
    yield maps
    while True:
        size = [math.ceil(side / factor) for side in maps.shape[-2:]]
        if min(size) < smallest_side or size == list(maps.shape[-2:]):
            return
        maps = F.interpolate(gaussian_blur(maps, factor / 3), size=size, mode="bilinear", align_corners=False)
        yield maps
