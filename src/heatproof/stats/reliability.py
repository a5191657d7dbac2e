"""Reliability: would another half of the images, or of the seeds, order the methods alike?

The raters (images or seeds) are split into two random halves. Both halves give each of m methods a mean, and r is Pearson's
correlation of the two rows of means. Its mean r̄ over random splits is that of half the raters; the Spearman–Brown formula
gives that of all,

    R_n = 2 r̄ / (1 + r̄),    and of N raters instead of n:    R_N = N R_n / (n + (N − n) R_n)

The mean of R over all splits is Cronbach's α of the raters up to terms of order 1/n, so the interval is Feldt's for α,

    1 − (1 − R) F_{1 − γ/2; m − 1, (m − 1)(n − 1)}   to   1 − (1 − R) F_{γ/2; m − 1, (m − 1)(n − 1)}

It holds for means that are roughly normal over methods. Sources: Spearman, "Correlation calculated from faulty data", and
Brown, "Some experimental results in the correlation of mental abilities", both British Journal of Psychology 3, 1910; Feldt,
"The approximate sampling distribution of Kuder–Richardson reliability coefficient twenty", Psychometrika 30, 1965.

Missing values: raters without a score of every method are dropped, and counted.
"""

import math
from dataclasses import dataclass

import numpy as np

from heatproof.core.errors import TensorError
from heatproof.stats.bootstrap import Floats


@dataclass(frozen=True)
class Reliability:
    """The reliability of the means of `m` methods over `n` raters, 1 = another n would agree, with its interval [`low`, `high`].

    All are NaN for fewer than two raters, fewer than three methods, or methods that do not differ.
    """

    value: float
    low: float
    high: float
    n: int
    m: int
    dropped: int


def split_half(scores: Floats, rng: np.random.Generator, *, splits: int = 500, level: float = 0.95) -> Reliability:
    """The reliability of the methods' means, from scores [methods, raters].

    Raises:
        TensorError: The scores are not [methods, raters].

    >>> import numpy as np
    >>> from heatproof.stats import split_half
    >>> rng = np.random.default_rng(0)
    >>> reliability = split_half(np.array([[0.0], [1.0], [2.0]]) + 0.1 * rng.normal(size=(3, 20)), rng)
    >>> round(reliability.value, 2), reliability.n, reliability.m
    (1.0, 20, 3)
    """
    from scipy.special import fdtri

    if scores.ndim != 2:
        raise TensorError(f"expected scores [methods, raters], got shape {scores.shape}.")
    scored = scores[np.isfinite(scores).any(axis=1)]
    complete = scored[:, np.isfinite(scored).all(axis=0)]
    m, n = complete.shape
    dropped = scores.shape[1] - n
    unknown = Reliability(float("nan"), float("nan"), float("nan"), n, m, dropped)
    if n < 2 or m < 3:
        return unknown
    order = rng.random((splits, n)).argsort(axis=1)
    half = (order < n // 2).astype(np.float64)
    first, second = half @ complete.T / half.sum(1, keepdims=True), (1 - half) @ complete.T / (1 - half).sum(1, keepdims=True)
    first, second = first - first.mean(1, keepdims=True), second - second.mean(1, keepdims=True)
    lengths = np.sqrt((first**2).sum(1) * (second**2).sum(1))
    least = 1e-12 * float((complete**2).sum())
    if not (lengths > least).all():
        return unknown
    r = float(((first * second).sum(1) / lengths).mean())
    value = 2 * r / (1 + r) if r > -1 else -math.inf
    degrees, tail = (m - 1, (m - 1) * (n - 1)), (1 - level) / 2
    low, high = (1 - (1 - value) * float(fdtri(*degrees, share)) for share in (1 - tail, tail))
    return Reliability(value, low, high, n, m, dropped)


def raters_needed(reliability: float, n: int, *, wanted: float = 0.8) -> float:
    """How many raters have the `wanted` reliability, if n have `reliability`: the Spearman–Brown formula the other way round.

    Infinite where the reliability is not positive, NaN where it is.

    >>> from heatproof.stats import raters_needed
    >>> raters_needed(0.5, 10)
    40
    """
    if math.isnan(reliability):
        return float("nan")
    if reliability <= 0:
        return float("inf")
    return max(2, math.ceil(round(n * wanted * (1 - reliability) / (reliability * (1 - wanted)), 9)))
