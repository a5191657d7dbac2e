"""The most relevant square regions of a map that do not overlap.

A region's relevance is the mean of |map| over its window, every window position counting. The best window is taken first; all
that overlap it are out; and so on. Ties are broken at random, by the image's own draws, so that a map without preferences
picks random regions rather than the top left corner.

Source: Samek et al., "Evaluating the visualization of what a deep neural network has learned", TNNLS 2017; greedy selection
on every position as in the code of Goh et al., ICPR 2020.
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
    """Top-left corners (row, column) of `count` disjoint `side` × `side` windows, in order of relevance.

    `skip_last` leaves out the last legal row and column of corners, as the published code does.

    Raises:
        SettingsError: Fewer than `count` disjoint windows could be placed.
    """
    h, w = maps.shape[-2:]
    if side > min(h, w):
        raise SettingsError(f"regions: expected windows that fit into {h} × {w} pixels, got side {side}; set scaled=True")
    relevance = F.avg_pool2d(maps.double().abs(), side, stride=1)[:, 0]
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
            raise SettingsError(
                f"regions: expected room for {count} windows of {side} × {side} pixels in {h} × {w}, got {step}; "
                "ask for fewer or smaller regions, or set scaled=True"
            )
        i, j = best // columns, best % columns
        corners[:, step] = torch.stack([i, j], dim=1)
        near = ((row - i[:, None]).abs() < side)[:, :, None] & ((column - j[:, None]).abs() < side)[:, None, :]
        rank = rank.masked_fill(near, -1)
    return corners
