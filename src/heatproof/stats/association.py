"""The association of two numbers that were measured on the same images at the same levels, such as cosine and Kendall's τ of maps.

    pooled   over all points (image, level). Levels move both numbers, so pooled points may lie on a line even where neither number
             is informative about the other at any one level.
    within   computed at each level by itself, then averaged over levels.

    slope    b of the least-squares line y = a + b x through the pooled points; `r squared` is its R²
    residual mean of y − (2/π) asin x: by how much τ exceeds the value that corresponds to the cosine under a centred elliptical
             distribution (Greiner)

Intervals are percentiles of the bootstrap over images, in which all levels of an image stay together; one image has none.
Kendall's coefficient is τ-a, in which ties count as neither concordant nor discordant; where a resample draws an image twice, the
pair of the two is not counted.
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
"""A function of (x, y, weights [draws, points]) that returns one number for each draw."""


@dataclass(frozen=True)
class AssociationEstimate:
    """The value of a statistic over all images, and its value in each resample (`draws`)."""

    value: float
    draws: Floats

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """The percentiles of the resamples; NaN where fewer than two resamples have a value."""
        known = self.draws[np.isfinite(self.draws)]
        if len(known) < 2:
            return float("nan"), float("nan")
        low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    def __sub__(self, other: "AssociationEstimate") -> "AssociationEstimate":
        """The difference, resample by resample; it is paired if both come from the same weights."""
        return AssociationEstimate(self.value - other.value, self.draws - other.draws)


@dataclass(frozen=True)
class Association:
    """The statistics over `n` images; `dropped` points (an image at a level) lacked a number and were left out."""

    n: int
    dropped: int
    statistics: Mapping[str, AssociationEstimate]


def relate(x: Floats, y: Floats, weights: Floats) -> Association:
    """The association of two numbers, each [images, levels].

    Args:
        x: the first number, such as a cosine.
        y: the second number.
        weights: [draws, images] from `resampling_weights`.

    Raises:
        TensorError: x and y do not have the same shape, or the weights do not fit.

    >>> import numpy as np
    >>> from heatproof.stats import relate, resampling_weights
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(size=(20, 3))
    >>> association = relate(x, 2 * x + 1, resampling_weights(20, 50, rng))
    >>> association.n, round(association.statistics["slope"].value, 3), round(association.statistics["kendall"].value, 3)
    (20, 2.0, 1.0)
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
    values: dict[str, Floats] = {}
    for name, statistic in (("pearson", _pearson), ("spearman", _spearman), ("kendall", _kendall)):
        values[name] = statistic(*points)
        within = [statistic(*level) for level in at_levels] or [np.full(len(each), np.nan)]
        values[f"{name} within"] = np.mean(within, axis=0)
    values["r squared"] = values["pearson"] ** 2
    values["slope"] = _slope(*points)
    values["residual"] = _mean(y.ravel() - 2 / np.pi * np.arcsin(np.clip(x.ravel(), -1, 1)), points[2])
    n = int(known.any(1).sum())
    drawn = {name: values[name][1:] if n > 1 else np.full(len(weights), np.nan) for name in STATISTICS}
    estimates = {name: AssociationEstimate(float(values[name][0]), drawn[name]) for name in STATISTICS}
    return Association(n, int((~known).sum()), estimates)


def _mean(values: Floats, w: Floats) -> Floats:
    """The weighted mean of values [points] or [draws, points], for each draw."""
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
    """The average rank of each point in each resample, up to a constant: the weight below it and half the weight of its equals."""
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
