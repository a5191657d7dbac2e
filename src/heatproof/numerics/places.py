"""The places of images, signals, volumes and tables, for everything that works on any of them.

    image   [b, c, h, w]     h w places with c channels
    signal  [b, c, t]        t places with c channels
    volume  [b, c, d, h, w]  d h w places with c channels
    table   [b, f]           f places with one channel: a map of a table is the map [b, 1, f]

In a table each column is a place of its own, since the sum over columns would leave nothing to compare. The order of columns means
nothing: they have no neighbours and no distance, and what needs these declares `needs_places`.
"""

from collections.abc import Sequence

from jaxtyping import Shaped
from torch import Tensor


def as_places(maps: Shaped[Tensor, "b c *space"]) -> Shaped[Tensor, "b d *places"]:
    """The same maps with the columns of a table as places, `[b, 1, f]`; those of images, signals and volumes as they are.

    >>> import torch
    >>> from heatproof.numerics.places import as_places
    >>> as_places(torch.zeros(2, 7)).shape, as_places(torch.zeros(2, 3, 8, 8)).shape
    (torch.Size([2, 1, 7]), torch.Size([2, 3, 8, 8]))
    """
    return maps[:, None] if maps.ndim == 2 else maps


def as_values(at_places: Shaped[Tensor, "b 1 *places"], images: Shaped[Tensor, "r c *space"]) -> Shaped[Tensor, "b *shape"]:
    """One value for each place, in a shape that broadcasts against images: the inverse of `as_places`.

    >>> import torch
    >>> from heatproof.numerics.places import as_values
    >>> as_values(torch.zeros(2, 1, 7), torch.zeros(2, 7)).shape
    torch.Size([2, 7])
    """
    return at_places[:, 0] if images.ndim == 2 else at_places


def places_of(image_shape: Sequence[int]) -> tuple[int, ...]:
    """The number of places along each axis, of one image of shape `(c, …)` or one row `(f,)` of a table.

    >>> from heatproof.numerics.places import places_of
    >>> places_of((3, 8, 8)), places_of((7,))
    ((8, 8), (7,))
    """
    return tuple(image_shape[1:] or image_shape)


def per_image(values: Shaped[Tensor, " r"], images: Shaped[Tensor, "b *shape"]) -> Shaped[Tensor, "r *ones"]:
    """One value for each image, in a shape that broadcasts against the images.

    >>> import torch
    >>> from heatproof.numerics.places import per_image
    >>> per_image(torch.zeros(2), torch.zeros(2, 3, 8, 8)).shape
    torch.Size([2, 1, 1, 1])
    """
    return values.view(-1, *[1] * (images.ndim - 1))
