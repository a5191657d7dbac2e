"""Sign changes: the share of a map's weight that lies next to weight of the opposite sign.

    value = Σ_(p,q) min(|A_p|, |A_q|) [A_p A_q < 0] / Σ_(p,q) min(|A_p|, |A_q|)

A is the sum of the map over channels, and the sums run over all pairs (p, q) of neighbours: pixels that share a side,
consecutive times of a signal, voxels that share a face. The value is near 0 if the map consists of wide regions of one sign,
about 1/2 if the signs are random, and 1 on a chessboard.

Cost: no passes. Source: this project. The metric puts a number on the observation in papers that positive and negative values mix
along edges.
"""

from typing import ClassVar

import torch
from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.metrics.base import MapMetric
from heatproof.metrics.scores import Scores
from heatproof.numerics.places import per_image


class SignChanges(MapMetric):
    """Share of neighbouring pixels of opposite sign, where each pair is weighted by the smaller magnitude.

    >>> import torch
    >>> from heatproof.metrics import SignChanges
    >>> maps = torch.ones(1, 1, 8, 8)
    >>> maps[0, 0, ::2, ::2] = maps[0, 0, 1::2, 1::2] = -1.0
    >>> SignChanges().score(maps).values
    tensor([1.])
    """

    label: ClassVar[str] = "sign changes"
    meaning: ClassVar[str] = "Share of neighbouring pixels of opposite sign, weighted by magnitude; about 1/2 for random signs."
    better: ClassVar[Direction] = Direction.LOWER
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    reduction: ClassVar[Reduction] = Reduction.SUM
    scale_invariant: ClassVar[bool] = True
    needs_places: ClassVar[bool] = True
    cite: ClassVar[str] = "heatproof"

    def measure(self, maps: Tensor) -> Scores:
        largest = maps.abs().flatten(1).amax(1).clamp_min(torch.finfo(maps.dtype).tiny)
        scaled = maps.double() / per_image(largest, maps)
        opposite = total = maps.new_zeros(len(maps), dtype=torch.float64)
        for axis in range(2, maps.ndim):
            n = maps.shape[axis] - 1
            first, second = scaled.narrow(axis, 0, n), scaled.narrow(axis, 1, n)
            weight = torch.minimum(first.abs(), second.abs())
            total = total + weight.flatten(1).sum(1)
            opposite = opposite + (weight * (first * second < 0)).flatten(1).sum(1)
        share = torch.where(total > 0, opposite / total, torch.nan)
        return Scores.of(share.to(maps.dtype), missing="of every two neighbouring pixels at least one is zero")
