"""The Gaussian pyramid of a map of an image, a signal or a volume.

Level 0 is the map itself. Each further level is the level before, blurred with σ = factor / 3 and resized linearly along each
axis (half-pixel centres, no further anti-aliasing) to ⌈side / factor⌉, as long as the shorter side stays at or above the
smallest allowed one: 224 → 150, 100, 67, 45, 30.

Source: Burt & Adelson 1983, with the conventions of scikit-image 0.16's `pyramid_gaussian`, which the published AUTVC figures used.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from heatproof.numerics.blur import gaussian_blur

_LINEAR: Mapping[int, str] = {1: "linear", 2: "bilinear", 3: "trilinear"}
"""What torch calls linear interpolation along so many axes."""


def level_sizes(space: Sequence[int], factor: float = 1.5, smallest_side: float = 30) -> Iterator[tuple[int, ...]]:
    """Yield the size of each level, such as height and width, finest first; one that the factor no longer changes is yielded once.

    >>> from heatproof.numerics.pyramid import level_sizes
    >>> list(level_sizes((1, 200), smallest_side=1))[:4]
    [(1, 200), (1, 134), (1, 90), (1, 60)]
    """
    size, last = tuple(space), None
    while size != last:
        yield size
        last, size = size, tuple(math.ceil(n / factor) for n in size)
        if min(size) < smallest_side:
            return


def pyramid(
    maps: Float[Tensor, "b c *space"], factor: float = 1.5, smallest_side: float = 30, most: int | None = None
) -> Iterator[Tensor]:
    """Yield the levels, finest first, each `[b, c, …]`, and at most so many. Level 0 is yielded whatever its size.

    >>> import torch
    >>> from heatproof.numerics.pyramid import pyramid
    >>> [level.shape[-1] for level in pyramid(torch.zeros(1, 1, 224, 224))]
    [224, 150, 100, 67, 45, 30]
    """
    for level, size in enumerate(islice(level_sizes(maps.shape[2:], factor, smallest_side), most)):
        if level:
            maps = F.interpolate(gaussian_blur(maps, factor / 3), size=size, mode=_LINEAR[len(size)], align_corners=False)
        yield maps
