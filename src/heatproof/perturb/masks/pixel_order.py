"""Images whose pixels are deleted, or inserted into a fill, step by step in the order of a map.

    deletion   x_s = fill where place < n_s, else image
    insertion  x_s = image where place < n_s, else fill

place is a pixel's place in the order of the map, 0 for the most relevant; n_s is the number of pixels treated at step s. All
channels of a pixel are treated at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.perturb.draws import Draws
from heatproof.perturb.masks.ranks import random_tie_ranks


def pixel_places(maps: Float[Tensor, "b 1 h w"], draws: Draws) -> Int[Tensor, "b 1 h w"]:
    """The place of each pixel, from 0 for the largest value of its map; equal values stand in random order."""
    return (maps[0].numel() - 1 - random_tie_ranks(maps.flatten(1), draws, "pixel ties")).view_as(maps)


@dataclass(frozen=True, eq=False)
class PixelOrder:
    """The variants of some images along curves of deletion or insertion, one curve for each draw of a fill.

    images     The images `[b, c, h, w]`.
    places     The places of their pixels `[b, 1, h, w]`, as `pixel_places` gives them.
    counts     The number of pixels treated at each step of a curve.
    fill       `fill(image, draw)` gives the fills `[r, c, h, w]`: draw `draw[r]` for image `image[r]`.
    insertion  Whether pixels of the image are inserted into the fill, rather than replaced by it.
    """

    images: Float[Tensor, "b c h w"]
    places: Int[Tensor, "b 1 h w"]
    counts: Sequence[int]
    fill: Callable[[list[int], list[int]], Tensor]
    insertion: bool

    def __call__(self, image: list[int], variant: list[int]) -> Float[Tensor, "r c h w"]:
        """Variant `variant[r]` of image `image[r]`, where variant v is step v mod K of the curve of draw v // K, K steps a curve.

        The fill of a curve is made once for all of its steps among these variants.
        """
        draw, step = zip(*(divmod(v, len(self.counts)) for v in variant), strict=True)
        curves = list(zip(image, draw, strict=True))
        number = {curve: n for n, curve in enumerate(dict.fromkeys(curves))}
        filled = self.fill(*map(list, zip(*number, strict=True)))
        if len(number) == 1:
            image = image[:1]  # which is broadcast over the steps
        else:
            filled = filled[[number[curve] for curve in curves]]
        count = torch.tensor([self.counts[s] for s in step], device=self.places.device).view(-1, 1, 1, 1)
        first, rest = (self.images[image], filled) if self.insertion else (filled, self.images[image])
        return torch.where(self.places[image] < count, first, rest)
