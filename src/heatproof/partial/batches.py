"""Batches of candidates whose rectangles affect regions of similar size.

Regions at different places are stacked into one tensor, so that every candidate of a batch is computed on as many cells as the one
that needs most. A rectangle at the border affects less than one in the middle, and one that lies in step with the strides less than
one that does not. Candidates of one image are therefore divided, again and again, into those that affect little along one axis and
those that affect more:

    cost of a batch = Σ_s flops_s · max_k y_sk · max_k x_sk per candidate + the bookkeeping of every step

    y_sk, x_sk   the share of the rows and of the columns of step s that candidate k affects
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heatproof.partial.plan import ReplayPlan

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


def similar_batches(plan: ReplayPlan, corners: Sequence[Sequence[int]], *, smallest: int, bookkeeping: float) -> list[list[int]]:
    """Return the numbers of the candidates of one image, batch by batch; each batch is one range where all corners are the same.

    Args:
        plan: what the recording found.
        corners: the first row and column of each candidate's rectangle.
        smallest: the smallest batch, since fewer candidates at once are slower.
        bookkeeping: the floating-point operations that take as long as a pass of no candidates.

    >>> from heatproof.partial.batches import similar_batches
    >>> from heatproof.partial.interval import AxisInterval
    >>> from heatproof.partial.plan import RegionLayout, ReplayPlan, ReplayStep
    >>> rows = AxisInterval((0, 0, 1), (2, 4, 5), 5)  # at the first place, two of five rows are affected; else four
    >>> step = ReplayStep(abs, (0,), (rows, AxisInterval((0,), (1,), 1)))
    >>> plan = ReplayPlan(RegionLayout((1, 1), (3, 1), 0.9), [step], [], [10**6], 10**6)
    >>> similar_batches(plan, [(0, 0), (1, 0), (2, 0), (0, 0)], smallest=2, bookkeeping=1e5)
    [[0, 3], [1, 2]]
    """
    if len(corners) < 2 * smallest or len({(*corner,) for corner in corners}) == 1:
        return [[*range(len(corners))]]
    affected = _Affected.of(plan, np.asarray(corners))
    return [batch.tolist() for batch in affected.divided(np.arange(len(corners)), smallest, bookkeeping)]


@dataclass(frozen=True)
class _Affected:
    """What each candidate affects: flops `[s]`, and the shares of rows and columns `[p, s]`, of steps on regions alone."""

    flops: Floats
    rows: Floats
    columns: Floats

    @classmethod
    def of(cls, plan: ReplayPlan, corners: Indices) -> "_Affected":
        pairs = [(n, step.region) for n, step in zip(plan.step_flops, plan.steps, strict=True) if n and step.region is not None]
        rows, columns = (
            np.stack([region[axis].share_of_place[corners[:, axis]] for _, region in pairs], 1)
            if pairs
            else np.empty((len(corners), 0))
            for axis in range(2)
        )
        return cls(np.array([n for n, _ in pairs], float), rows, columns)

    def divided(self, batch: Indices, smallest: int, bookkeeping: float) -> list[Indices]:
        """Return the batch, or its parts if they cost less."""
        whole = self._costs(batch)[-1]
        orders = [np.argsort(affected[batch] @ self.flops, kind="stable") for affected in (self.rows, self.columns)]
        cost, parts = min((self._cut(batch[order], smallest) for order in orders), key=lambda cut: cut[0])
        if cost + bookkeeping >= whole:
            return [batch]
        return [divided for part in parts for divided in self.divided(np.sort(part), smallest, bookkeeping)]

    def _cut(self, order: Indices, smallest: int) -> tuple[float, tuple[Indices, Indices]]:
        """Return the least cost of the candidates as two batches, in this order, and the batches."""
        sizes = range(smallest, len(order) - smallest + 1)
        first, second = self._costs(order), self._costs(order[::-1])[::-1]
        costs = {n: float(first[n - 1] + second[n]) for n in sizes}
        n = min(costs, key=lambda size: costs[size], default=0)
        return costs.get(n, np.inf), (order[:n], order[n:])

    def _costs(self, order: Indices) -> Floats:
        """Return the cost of the first candidate as a batch, of the first two, and so on."""
        largest = np.maximum.accumulate(self.rows[order]) * np.maximum.accumulate(self.columns[order])
        costs: Floats = (largest @ self.flops) * np.arange(1, len(order) + 1)
        return costs
