"""The most relevant square regions of a map, without overlap: squares of an image, intervals of a signal, cubes of a volume.

The relevance of a region is the mean of the map over its window, and every window position counts. The most relevant window is
selected first and all windows that overlap it are excluded; this is repeated. Ties are broken at random, from the random numbers of
the image, so that a constant map selects random regions rather than the first ones.

Source: Samek et al., "Evaluating the visualization of what a deep neural network has learned", TNNLS 2017; greedy selection on
every position as in the code of Goh et al., ICPR 2020.
"""

from collections.abc import Sequence
from math import prod

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import avg_pool1d, avg_pool2d, avg_pool3d

from heatproof.core.errors import SettingsError
from heatproof.perturb.draws import Draws
from heatproof.perturb.masks.ranks import random_tie_ranks


def rank_regions(
    maps: Float[Tensor, "b 1 *space"],
    draws: Draws,
    *,
    side: int,
    count: int,
    most_relevant_first: bool = True,
    skip_last: bool = False,
) -> Int[Tensor, "b count axes"]:
    """The first place along each axis (row, column) of `count` disjoint windows, in order of relevance.

    Args:
        maps: maps of one channel; magnitudes, where the sign is not to count.
        draws: the random numbers that break ties, one key for each map.
        side: the side of a window, in places.
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
    space = tuple(maps.shape[2:])
    check_room(space, side, count)
    relevance = _AVERAGES[len(space)](maps.double(), side, stride=1)[:, 0]
    if skip_last:
        for axis, n in enumerate(space, 1):
            relevance = relevance.narrow(axis, 0, min(relevance.shape[axis], max(1, n - side)))
    positions = relevance.shape[1:]
    signed = relevance.flatten(1) * (1 if most_relevant_first else -1)
    rank = random_tie_ranks(signed, draws, "region ties").view(-1, *positions)
    corners = torch.empty(len(maps), count, len(space), dtype=torch.long, device=maps.device)
    for step in range(count):
        best = rank.flatten(1).argmax(1)
        if bool((rank.flatten(1).amax(1) < 0).any()):
            raise _no_room(space, side, count, step)
        for axis in reversed(range(len(positions))):  # as torch.unravel_index, which imports a whole algebra system
            corners[:, step, axis], best = best % positions[axis], best // positions[axis]
        near = torch.ones_like(rank, dtype=torch.bool)
        for axis, n in enumerate(positions):
            along = (torch.arange(n, device=maps.device) - corners[:, step, axis, None]).abs() < side
            near &= along.view(-1, *[n if other == axis else 1 for other in range(len(positions))])
        rank = rank.masked_fill(near, -1)
    return corners


_AVERAGES = {1: avg_pool1d, 2: avg_pool2d, 3: avg_pool3d}


def check_room(space: Sequence[int], side: int, count: int) -> None:
    """Check that disjoint windows can have room at all; where they lie in a map may still leave no room for the last ones.

    Raises:
        SettingsError: A window does not fit into so many places along each axis, or fewer than `count` disjoint ones do.
    """
    if side > min(space):
        raise SettingsError(f"regions: expected windows that fit into {_places(space)}, got side {side}; set scaled=True")
    if (most := prod(n // side for n in space)) < count:
        raise _no_room(space, side, count, most)


def _no_room(space: Sequence[int], side: int, count: int, found: int) -> SettingsError:
    return SettingsError(
        f"regions: expected room for {count} windows of {_places([side] * len(space))} in {_product(space)}, got {found}; "
        "ask for fewer or smaller regions, or set scaled=True"
    )


def _places(space: Sequence[int]) -> str:
    return f"{_product(space)} {'pixels' if len(space) == 2 else 'places'}"


def _product(space: Sequence[int]) -> str:
    return " × ".join(map(str, space))
