"""How two numbers go together that were taken of the same images at the same levels: cosine and Kendall's τ of maps, say.

    pooled   over all points (image, level). Levels move both numbers, so that pooled points may lie on a line though at no level
             one number tells anything of the other.
    within   at each level by itself, the mean over levels.

    slope    b and R² of the least-squares line y = a + b x through the pooled points
    residual mean of y − (2/π) asin x: how far τ lies above what goes with the cosine under a centred elliptical law (Greiner)

Intervals are percentiles of the bootstrap over images; all levels of an image go together. Kendall's is τ-a, in which ties count
as neither; a resample that draws an image twice does not count the pair of the two.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from heatproof.core.errors import TensorError
from heatproof.stats.bootstrap import Floats

STATISTICS = (
    *("pearson", "spearman", "kendall"),
    *("pearson within", "spearman within", "kendall within"),
    *("slope", "r squared", "residual"),
)
_Statistic = Callable[[Floats, Floats, Floats], Floats]
"""(x, y, weights [draws, points]) → one number a draw."""


@dataclass(frozen=True)
class AssociationEstimate:
    """A statistic of all images, and what it is in each resample."""

    value: float
    draws: Floats

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Percentiles of the resamples; NaN where there are none."""
        known = self.draws[np.isfinite(self.draws)]
        if len(known) < 2:
            return float("nan"), float("nan")
        low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    def __sub__(self, other: "AssociationEstimate") -> "AssociationEstimate":
        """The difference, resample by resample: paired if both come from one set of weights."""
        return AssociationEstimate(self.value - other.value, self.draws - other.draws)


@dataclass(frozen=True)
class Association:
    """Of `n` images; `dropped` points, an image at a level, lack a number and do not count."""

    n: int
    dropped: int
    statistics: Mapping[str, AssociationEstimate]


def relate(x: Floats, y: Floats, weights: Floats) -> Association:
    """The association of two numbers, each [images, levels].

    Args:
        x: the one, such as a cosine.
        y: the other.
        weights: [draws, images] from `resampling_weights`.

    Raises:
        TensorError: x and y are not shaped alike, or the weights do not fit.
    """
    if x.ndim != 2 or x.shape != y.shape or weights.shape[1] != len(x):
        raise TensorError(
            f"expected two tables [images, levels] and weights [draws, images], got {x.shape}, {y.shape}, {weights.shape}"
        )
    known = np.isfinite(x) & np.isfinite(y)
    x, y = np.where(known, x, 0.0), np.where(known, y, 0.0)
    each = np.concatenate([np.ones((1, len(x))), weights])
    points = x.ravel(), y.ravel(), np.repeat(each, x.shape[1], axis=1) * known.ravel()
    at_levels = [(x[:, i], y[:, i], each * known[:, i]) for i in range(x.shape[1]) if known[:, i].sum() > 1]
    found: dict[str, Floats] = {}
    for name, statistic in (("pearson", _pearson), ("spearman", _spearman), ("kendall", _kendall)):
        found[name] = statistic(*points)
        within = [statistic(*level) for level in at_levels] or [np.full(len(each), np.nan)]
        found[f"{name} within"] = np.mean(within, axis=0)
    found["r squared"] = found["pearson"] ** 2
    found["slope"] = _slope(*points)
    found["residual"] = _mean(y.ravel() - 2 / np.pi * np.arcsin(np.clip(x.ravel(), -1, 1)), points[2])
    estimates = {name: AssociationEstimate(float(found[name][0]), found[name][1:]) for name in STATISTICS}
    return Association(int(known.any(1).sum()), int((~known).sum()), estimates)


def _mean(values: Floats, w: Floats) -> Floats:
    """Weighted mean of values [points] or [draws, points], one a draw."""
    total = w.sum(1)
    top: Floats = (w * values).sum(1)
    mean: Floats = np.divide(top, total, out=np.full_like(top, np.nan), where=total > 0)
    return mean


def _moments(x: Floats, y: Floats, w: Floats) -> tuple[Floats, Floats, Floats]:
    a, b = x - _mean(x, w)[:, None], y - _mean(y, w)[:, None]
    return _mean(a * b, w), _mean(a * a, w), _mean(b * b, w)


def _pearson(x: Floats, y: Floats, w: Floats) -> Floats:
    xy, xx, yy = _moments(x, y, w)
    scale = np.sqrt(xx * yy)
    r: Floats = np.divide(xy, scale, out=np.full_like(xy, np.nan), where=scale > 1e-300)
    return r


def _slope(x: Floats, y: Floats, w: Floats) -> Floats:
    xy, xx, _ = _moments(x, y, w)
    b: Floats = np.divide(xy, xx, out=np.full_like(xy, np.nan), where=xx > 1e-300)
    return b


def _spearman(x: Floats, y: Floats, w: Floats) -> Floats:
    return _pearson(_ranks(x, w), _ranks(y, w), w)


def _ranks(values: Floats, w: Floats) -> Floats:
    """Average rank of each point among the resample, up to a constant: what lies below it, and half of its equals."""
    order = np.argsort(values, kind="stable")
    below: Floats = np.cumsum(w[:, order], axis=1)
    _, group = np.unique(values[order], return_inverse=True)
    ends = np.searchsorted(group, np.arange(group[-1] + 1 if len(group) else 0), side="right") - 1
    upto = below[:, ends]
    before = np.concatenate([np.zeros((len(w), 1)), upto[:, :-1]], axis=1)
    ranks: Floats = np.empty_like(w)
    ranks[:, order] = ((upto + before) / 2)[:, group]
    return ranks


def _kendall(x: Floats, y: Floats, w: Floats) -> Floats:
    signs: np.ndarray[Any, np.dtype[np.float64]] = np.sign(x[:, None] - x) * np.sign(y[:, None] - y)
    pairs = w.sum(1) ** 2 - (w**2).sum(1)
    top: Floats = ((w @ signs) * w).sum(1)
    tau: Floats = np.divide(top, pairs, out=np.full_like(top, np.nan), where=pairs > 0)
    return tau
