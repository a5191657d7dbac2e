"""The most relevant square regions of a map, without overlap.

The relevance of a region is the mean of the map over its window, and every window position counts. The most relevant window is
selected first and all windows that overlap it are excluded; this is repeated. Ties are broken at random, from the random numbers of
the image, so that a constant map selects random regions rather than the top left corner.

Source: Samek et al., "Evaluating the visualization of what a deep neural network has learned", TNNLS 2017; greedy selection on
every position as in the code of Goh et al., ICPR 2020.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.core.errors import SettingsError
from heatproof.perturb.draws import Draws
from heatproof.perturb.masks.ranks import random_tie_ranks


def rank_regions(
    maps: Float[Tensor, "b 1 h w"],
    draws: Draws,
    *,
    side: int,
    count: int,
    most_relevant_first: bool = True,
    skip_last: bool = False,
) -> Int[Tensor, "b count 2"]:
    """The top-left corners (row, column) of `count` disjoint windows of `side` × `side` pixels, in order of relevance.

    Args:
        maps: maps of one channel; magnitudes, where the sign is not to count.
        draws: the random numbers that break ties, one key for each map.
        side: the side of a window, in pixels.
        count: the number of windows.
        most_relevant_first: whether the most or the least relevant window comes first.
        skip_last: leaves out the last legal row and column of corners, as the published code does.

    Raises:
        SettingsError: A window does not fit into the map, or fewer than `count` disjoint windows do.

    >>> import torch
    >>> from heatproof.perturb.draws import Draws
    >>> from heatproof.perturb.masks.regions import rank_regions
    >>> maps = torch.zeros(1, 1, 28, 28)
    >>> maps[0, 0, 5:9, 10:14] = 1
    >>> rank_regions(maps, Draws.for_images(0, maps), side=4, count=3)[0, 0]
    tensor([ 5, 10])
    """
    h, w = maps.shape[-2:]
    check_room(h, w, side, count)
    relevance = F.avg_pool2d(maps.double(), side, stride=1)[:, 0]
    if skip_last:
        relevance = relevance[:, : max(1, h - side), : max(1, w - side)]
    rows, columns = relevance.shape[1:]
    signed = relevance.flatten(1) * (1 if most_relevant_first else -1)
    rank = random_tie_ranks(signed, draws, "region ties").view(-1, rows, columns)
    corners = torch.empty(len(maps), count, 2, dtype=torch.long, device=maps.device)
    row, column = (torch.arange(n, device=maps.device) for n in (rows, columns))
    for step in range(count):
        best = rank.flatten(1).argmax(1)
        if bool((rank.flatten(1).amax(1) < 0).any()):
            raise _no_room(h, w, side, count, step)
        i, j = best // columns, best % columns
        corners[:, step] = torch.stack([i, j], dim=1)
        near = ((row - i[:, None]).abs() < side)[:, :, None] & ((column - j[:, None]).abs() < side)[:, None, :]
        rank = rank.masked_fill(near, -1)
    return corners


def check_room(h: int, w: int, side: int, count: int) -> None:
    """Check that disjoint windows can have room at all; where they lie in a map may still leave no room for the last ones.

    Raises:
        SettingsError: A window does not fit into h × w pixels, or fewer than `count` disjoint ones do.
    """
    if side > min(h, w):
        raise SettingsError(f"regions: expected windows that fit into {h} × {w} pixels, got side {side}; set scaled=True")
    if (most := (h // side) * (w // side)) < count:
        raise _no_room(h, w, side, count, most)


def _no_room(h: int, w: int, side: int, count: int, found: int) -> SettingsError:
    return SettingsError(
        f"regions: expected room for {count} windows of {side} × {side} pixels in {h} × {w}, got {found}; "
        "ask for fewer or smaller regions, or set scaled=True"
    )
