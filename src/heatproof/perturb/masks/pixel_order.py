"""Images whose pixels are deleted, or inserted into a fill, step by step in the order of a map.

    deletion   x_s = fill where place < n_s, else image
    insertion  x_s = image where place < n_s, else fill

place is a pixel's place in the order of the map, 0 for the most relevant; n_s is the number of pixels treated at step s. All
channels of a pixel are treated at once. A pixel is any place: a time of a signal, a column of a table (`numerics/places.py`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.numerics.places import as_values, per_image
from heatproof.perturb.draws import Draws, Index
from heatproof.perturb.masks.ranks import random_tie_ranks


def pixel_places(maps: Float[Tensor, "b 1 *places"], draws: Draws, index: Index = 0) -> Int[Tensor, "b 1 *places"]:
    """The place of each pixel, from 0 for the largest value of its map; equal values stand in random order, one for each index."""
    return (maps[0].numel() - 1 - random_tie_ranks(maps.flatten(1), draws, "pixel ties", index)).view_as(maps)


@dataclass(frozen=True, eq=False)
class PixelOrder:
    """The variants of some images along curves of deletion or insertion, one curve for each draw.

    images     The images `[b, c, …]`.
    places     `places(image, draw)` gives the places of the pixels `[r, 1, …]` in draw `draw[r]` for image `image[r]`, as
               `pixel_places` makes them.
    counts     The number of pixels treated at each step of a curve.
    fill       `fill(image, draw)` gives the fills `[r, c, …]`: draw `draw[r]` for image `image[r]`.
    insertion  Whether pixels of the image are inserted into the fill, rather than replaced by it.
    """

    images: Float[Tensor, "b c *space"]
    places: Callable[[list[int], list[int]], Tensor]
    counts: Sequence[int]
    fill: Callable[[list[int], list[int]], Tensor]
    insertion: bool

    def __call__(self, image: list[int], variant: list[int]) -> Float[Tensor, "r c *space"]:
        """Variant `variant[r]` of image `image[r]`, where variant v is step v mod K of the curve of draw v // K, K steps a curve.

        The fill and the places of a curve are made once for all of its steps among these variants.
        """
        draw, step = zip(*(divmod(v, len(self.counts)) for v in variant), strict=True)
        curves = list(zip(image, draw, strict=True))
        number = {curve: n for n, curve in enumerate(dict.fromkeys(curves))}
        of_curves = [list(each) for each in zip(*number, strict=True)]
        filled, places = self.fill(*of_curves), as_values(self.places(*of_curves), self.images)
        if len(number) == 1:
            image = image[:1]  # which is broadcast over the steps, as its fill and places are
        else:
            row = [number[curve] for curve in curves]
            filled, places = filled[row], places[row]
        count = per_image(torch.tensor([self.counts[s] for s in step], device=places.device), self.images)
        first, rest = (self.images[image], filled) if self.insertion else (filled, self.images[image])
        return torch.where(places < count, first, rest)
