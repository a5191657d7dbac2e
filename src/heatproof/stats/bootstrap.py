"""Bootstrap interval of a mean over images.

    θ = Σ v_i / n,    θ*_d = Σ W_di v_i / Σ W_di,    W_d ~ Multinomial(n; 1/n, …, 1/n)

v_i is the score of image i and W are the resampling weights, for draws d = 1 … D. One `weights` array serves every method, metric
and curve point of the same images, so that all intervals are of the same resamples and differences between methods are paired.

Kinds of interval at level 1 − α:

- "percentile": the quantiles α/2 and 1 − α/2 of θ*. It is too narrow for few images: its width lacks the factor √(n/(n−1)) and the
  tails of Student's distribution.
- "expanded": the quantiles at Φ(±√(n/(n−1)) t_{n−1, α/2}), which corrects both (Hesterberg, "What teachers should know about the
  bootstrap", The American Statistician 69, 2015, §4.2).
- "bca": bias-corrected and accelerated (Efron, "Better bootstrap confidence intervals", JASA 82, 1987), with
  a = Σ(v_i − θ)³ / 6(Σ(v_i − θ)²)^{3/2} for a mean and z0 from the share of θ* below θ, ties halved.

Measured coverage of a 95 % interval (1,500 samples each) for n = 12: percentile .92, expanded .95, BCa .91 for normal scores, and
.83, .86, .85 for log-normal ones; for n = 5 normal scores .86, .92, .86. So "expanded" is the default.

Missing values: a NaN score is left out of its own row only, and counted. The interval of fewer than two scores is NaN, since one
image does not show how images differ.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from heatproof.core.errors import SettingsError, TensorError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Floats = np.ndarray[Any, np.dtype[np.float64]]
Kind = Literal["percentile", "expanded", "bca"]


@dataclass(frozen=True)
class Interval:
    """The means of rows of scores, with their confidence intervals. Every array has the shape of the rows.

    `n` scores were used and `dropped` were NaN; `low` and `high` are NaN where n < 2, and `mean` is NaN where n = 0.

    >>> import numpy as np
    >>> from heatproof.stats import mean_interval
    >>> interval = mean_interval(np.array([0.2, 0.4, 0.3, np.nan]))
    >>> round(float(interval.mean), 2), int(interval.n), int(interval.dropped)
    (0.3, 3, 1)
    """

    mean: Floats
    low: Floats
    high: Floats
    n: np.ndarray[Any, np.dtype[np.int64]]
    dropped: np.ndarray[Any, np.dtype[np.int64]]

    def __str__(self) -> str:
        """One line for each row, such as `21.3 [20.1, 22.6], n = 12`."""
        rows = zip(*(np.ravel(part) for part in (self.mean, self.low, self.high, self.n)), strict=True)
        return "\n".join(f"{mean:.4g} [{low:.4g}, {high:.4g}], n = {n}" for mean, low, high, n in rows)


def resampling_weights(n: int, draws: int, rng: np.random.Generator) -> Floats:
    """How often each of n images occurs in each resample, [draws, n]; every row sums to n.

    Raises:
        SettingsError: n or draws is below 1.

    >>> import numpy as np
    >>> from heatproof.stats import resampling_weights
    >>> weights = resampling_weights(12, 1000, np.random.default_rng(0))
    >>> weights.shape, bool((weights.sum(1) == 12).all())
    ((1000, 12), True)
    """
    if n < 1 or draws < 1:
        raise SettingsError(f"expected at least one image and one draw, got {n:,} images and {draws:,} draws.")
    weights, shares, few = np.empty((draws, n)), np.full(n, 1.0 / n), max(1, 2_000_000 // n)
    for start in range(0, draws, few):  # so that the integers, which take as much memory as the weights, are never all there
        weights[start : start + few] = rng.multinomial(n, shares, size=min(few, draws - start))
    return weights


def resampled_means(values: Floats, weights: Floats) -> Floats:
    """The mean of each row in each resample, [..., draws]; NaN where a resample contains no score of that row."""
    _check(values, weights)
    present = np.isfinite(values)
    total: Floats = np.where(present, values, 0.0) @ weights.T
    if present.all():
        mean: Floats = total / weights.sum(axis=1)
        return mean
    count = present.astype(np.float64) @ weights.T
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def mean_interval(values: "ArrayLike", weights: Floats | None = None, *, level: float = 0.95, kind: Kind = "expanded") -> Interval:
    """The mean of each row and its confidence interval.

    Args:
        values: scores [..., n], NaN where there is none.
        weights: [draws, n] from `resampling_weights`; comparisons are paired if they share them. None = 9,999 draws of seed 0.
        level: the nominal coverage, in (0, 1).
        kind: percentile, expanded or bca, as described at the top of this module.

    Raises:
        SettingsError: The level is outside (0, 1), or there is no such kind.
        TensorError: Values and weights are of different numbers of images.

    >>> import numpy as np
    >>> from heatproof.stats import mean_interval
    >>> interval = mean_interval(np.arange(12.0), level=0.9)
    >>> float(interval.mean), bool(interval.low < 5.5 < interval.high)
    (5.5, True)
    """
    if not 0 < level < 1:
        raise SettingsError(f"level: expected a number between 0 and 1, got {level}.")
    values = np.asarray(values, dtype=np.float64)
    weights = resampling_weights(values.shape[-1], 9_999, np.random.default_rng(0)) if weights is None else weights
    present = np.isfinite(values)
    n = present.sum(axis=-1)
    filled = np.where(present, values, 0.0)
    mean = np.divide(filled.sum(axis=-1), n, out=np.full(n.shape, np.nan), where=n > 0)
    means = resampled_means(values, weights)
    spread = np.where(present, values - mean[..., None], 0.0)
    shares = _shares(kind, level, n, mean, means, spread)
    low, high = _quantiles(means, shares[0]), _quantiles(means, shares[1])
    enough = n >= 2
    return Interval(mean, np.where(enough, low, np.nan), np.where(enough, high, np.nan), n, values.shape[-1] - n)


def _shares(kind: str, level: float, n: Any, mean: Floats, means: Floats, spread: Floats) -> tuple[Floats, Floats]:
    """The two quantiles of the resampled means at which the interval ends, for each row."""
    from scipy.special import ndtr, ndtri, stdtrit

    tail = (1 - level) / 2
    if kind == "percentile":
        return np.full(n.shape, tail), np.full(n.shape, 1 - tail)
    if kind == "expanded":
        degrees = np.maximum(n - 1, 1)
        z = np.sqrt((degrees + 1) / degrees) * stdtrit(degrees, tail)
        return ndtr(z), ndtr(-z)
    if kind == "bca":
        gap = means - mean[..., None]
        tiny = 1e-12 * np.abs(spread).max(axis=-1, keepdims=True)  # sums in another order differ in their last bits
        below = _share(gap < -tiny, means) + 0.5 * _share(np.abs(gap) <= tiny, means)
        bias = ndtri(np.clip(below, 1e-9, 1 - 1e-9))
        square, cube = (spread**2).sum(axis=-1), (spread**3).sum(axis=-1)
        skew = np.divide(cube, 6 * square**1.5, out=np.zeros_like(cube), where=square > 0)
        ends = [bias + (bias + z) / (1 - skew * (bias + z)) for z in (ndtri(tail), -ndtri(tail))]
        return ndtr(ends[0]), ndtr(ends[1])
    raise SettingsError(f"kind: expected percentile, expanded or bca, got {kind!r}.")


def _share(hits: Any, means: Floats) -> Floats:
    count = np.isfinite(means).sum(axis=-1)
    shares: Floats = np.divide(hits.sum(axis=-1), count, out=np.full(count.shape, 0.5), where=count > 0)
    return shares


def _quantiles(means: Floats, shares: Floats) -> Floats:
    """Quantile `shares[row]` of each row of `means`; NaN is left out."""
    flat, wanted = means.reshape(-1, means.shape[-1]), np.broadcast_to(shares, means.shape[:-1]).reshape(-1)
    ends = np.full(len(flat), np.nan)
    for row, (drawn, share) in enumerate(zip(flat, wanted, strict=True)):
        finite = drawn[np.isfinite(drawn)]
        if finite.size:
            ends[row] = np.quantile(finite, share)
    return ends.reshape(means.shape[:-1])


def _check(values: Floats, weights: Floats) -> None:
    if weights.ndim != 2 or values.ndim < 1 or values.shape[-1] != weights.shape[1]:
        raise TensorError(
            f"expected values [..., n] and weights [draws, n] of the same images, got {values.shape} and {weights.shape}."
        )
