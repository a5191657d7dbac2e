"""Sign changes: how much of a map's weight lies beside weight of the other sign.

    Σ_(p,q) min(|A_p|, |A_q|) [A_p A_q < 0] / Σ_(p,q) min(|A_p|, |A_q|)    over pairs of pixels side by side

A the channel sum. 0 where regions of one sign are wide, 1/2 where signs are tossed, 1 on a chessboard.

Cost: none. Source: this project; it measures what source texts call positive and negative values mixed along edges.
"""

from typing import ClassVar

import torch
from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.metrics.base import MapMetric, Scores


class SignChanges(MapMetric):
    """The share of neighbouring pixels of opposite sign, by the smaller of their magnitudes."""

    label: ClassVar[str] = "sign changes"
    meaning: ClassVar[str] = "Share of neighbouring pixels of opposite sign, weighed by magnitude; 1/2 if signs were tossed."
    better: ClassVar[Direction] = Direction.LOWER
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    reduction: ClassVar[Reduction] = Reduction.SUM
    scale_invariant: ClassVar[bool] = True
    cite: ClassVar[str] = "heatproof"

    def measure(self, maps: Tensor) -> Scores:
        scaled = maps.double() / maps.abs().flatten(1).amax(1).clamp_min(torch.finfo(maps.dtype).tiny).view(-1, 1, 1, 1)
        opposite = total = maps.new_zeros(len(maps), dtype=torch.float64)
        for axis in (2, 3):
            n = maps.shape[axis] - 1
            first, second = scaled.narrow(axis, 0, n), scaled.narrow(axis, 1, n)
            weight = torch.minimum(first.abs(), second.abs())
            total = total + weight.flatten(1).sum(1)
            opposite = opposite + (weight * (first * second < 0)).flatten(1).sum(1)
        share = torch.where(total > 0, opposite / total, torch.nan)
        return Scores.of(share.to(maps.dtype), missing="no two neighbouring pixels have a value")
