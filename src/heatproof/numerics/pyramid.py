"""The Gaussian pyramid of a map.

Level 0 is the map itself. Each further level is the level before, blurred with σ = factor / 3 and resized bilinearly (half-pixel
centres, no further anti-aliasing) to ⌈side / factor⌉, as long as the shorter side stays at or above the smallest allowed one: 224 →
150, 100, 67, 45, 30.

Source: Burt & Adelson 1983, with the conventions of scikit-image 0.16's `pyramid_gaussian`, which the published AUTVC figures used.
"""

import math
from collections.abc import Iterator
from itertools import islice

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from heatproof.numerics.blur import gaussian_blur


def level_sizes(h: int, w: int, factor: float = 1.5, smallest_side: float = 30) -> Iterator[tuple[int, int]]:
    """Yield the height and width of each level, finest first; a size that the factor no longer changes is yielded once.

    >>> from heatproof.numerics.pyramid import level_sizes
    >>> list(level_sizes(1, 200, smallest_side=1))[:4]
    [(1, 200), (1, 134), (1, 90), (1, 60)]
    """
    size, last = (h, w), None
    while size != last:
        yield size
        last, size = size, (math.ceil(size[0] / factor), math.ceil(size[1] / factor))
        if min(size) < smallest_side:
            return


def pyramid(
    maps: Float[Tensor, "b c h w"], factor: float = 1.5, smallest_side: float = 30, most: int | None = None
) -> Iterator[Tensor]:
    """Yield the levels, finest first, each `[b, c, h_l, w_l]`, and at most so many. Level 0 is yielded whatever its size.

    >>> import torch
    >>> from heatproof.numerics.pyramid import pyramid
    >>> [level.shape[-1] for level in pyramid(torch.zeros(1, 1, 224, 224))]
    [224, 150, 100, 67, 45, 30]
    """
    for level, size in enumerate(islice(level_sizes(maps.shape[-2], maps.shape[-1], factor, smallest_side), most)):
        if level:
            maps = F.interpolate(gaussian_blur(maps, factor / 3), size=size, mode="bilinear", align_corners=False)
        yield maps
