"""A paired comparison of two methods on the same images: is the mean difference larger than chance explains?

    d_i = a_i − b_i,    T = |Σ d_i|,    p = share of the sign vectors s ∈ {−1, 1}ⁿ with |Σ s_i d_i| ≥ T

This is the sign-flip permutation test: if both methods were alike, each difference would have either sign with equal probability.
The test is exact over all 2ⁿ sign vectors while 2ⁿ ≤ 2¹⁴. Beyond that it uses `draws` random ones, with p = (1 + hits) / (1 +
draws), which is never 0 (Phipson & Smyth, "Permutation p-values should never be zero", 2010). The smallest p that n images can give
is 2 / 2ⁿ (`smallest_p`).

The effect size is the paired probability of superiority: the share of images with a_i > b_i, ties halved (Grissom & Kim, "Effect
sizes for research", 2012, ch. 6). It measures how often a exceeds b, whereas p measures the evidence.

Missing values: an image counts only where both methods have a score; the number of dropped images is returned.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from heatproof.core.errors import TensorError
from heatproof.stats.bootstrap import Floats, Kind, mean_interval

EXACT_UP_TO = 14
"""The largest number of images for which all sign vectors are enumerated."""


@dataclass(frozen=True)
class Comparison:
    """Method a compared with method b on the images for which both have a score.

    `difference` is mean(a − b) with its interval [low, high], and `spread` is the standard deviation of the differences.
    `superiority` in [0, 1] is the share of images with a > b, ties halved. `exact` tells whether all sign vectors were enumerated.
    A number is NaN where `n` images do not suffice for it.
    """

    n: int
    dropped: int
    difference: float
    low: float
    high: float
    spread: float
    superiority: float
    p: float
    exact: bool


def compare(
    a: Floats,
    b: Floats,
    weights: Floats,
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    kind: Kind = "expanded",
    draws: int = 10_000,
) -> Comparison:
    """Compare scores a [n] with scores b [n] of the same images.

    Args:
        a: scores of the first method, NaN where there is none.
        b: scores of the second method, image by image.
        weights: [draws, n] from `resampling_weights`, shared by all comparisons on these images.
        rng: used only when there are too many images to enumerate.
        level: the nominal coverage of the interval.
        kind: the kind of the interval.
        draws: the number of random sign vectors when n is too large to enumerate.

    Raises:
        TensorError: a and b are not two rows of the same length.

    >>> import numpy as np
    >>> from heatproof.stats import compare, resampling_weights
    >>> rng = np.random.default_rng(0)
    >>> b = rng.normal(size=10)
    >>> comparison = compare(b + 1, b, resampling_weights(10, 1000, rng), rng)
    >>> comparison.n, round(comparison.difference, 2), comparison.superiority, round(comparison.p, 4)
    (10, 1.0, 1.0, 0.002)
    """
    if a.ndim != 1 or a.shape != b.shape:
        raise TensorError(f"expected two rows of scores of the same images, got shapes {a.shape} and {b.shape}.")
    return compare_each(a[None], b, weights, lambda: rng, level=level, kind=kind, draws=draws)[0]


def compare_each(
    rows: Floats,
    b: Floats,
    weights: Floats,
    rng: Callable[[], np.random.Generator],
    *,
    level: float = 0.95,
    kind: Kind = "expanded",
    draws: int = 10_000,
) -> list[Comparison]:
    """Compare each of many rows of scores [m, n] with scores b [n] of the same images, as `compare` does.

    Rows with equally many differences share their sign vectors, which are the greater part of the work for many images.

    Args:
        rows: scores of the methods, NaN where there is none.
        b: scores of the method that they are compared with, image by image.
        weights: [draws, n] from `resampling_weights`, shared by all comparisons on these images.
        rng: makes a generator, the same one each time; used only when there are too many images to enumerate.
        level: the nominal coverage of the intervals.
        kind: the kind of the intervals.
        draws: the number of random sign vectors when n is too large to enumerate.

    >>> import numpy as np
    >>> from heatproof.stats import compare_each, resampling_weights
    >>> scores = np.random.default_rng(0).normal(size=(3, 10)) + [[0], [1], [2]]
    >>> weights = resampling_weights(10, 1000, np.random.default_rng(0))
    >>> [round(each.p, 3) for each in compare_each(scores[1:], scores[0], weights, lambda: np.random.default_rng(0))]
    [0.348, 0.004]
    """
    differences = rows - b
    finite = [row[np.isfinite(row)] for row in differences]
    interval = mean_interval(differences, weights, level=level, kind=kind)
    p = np.full(len(rows), np.nan)
    for n in {len(row) for row in finite}:
        alike = [index for index, row in enumerate(finite) if len(row) == n]
        p[alike] = _sign_flip_ps(np.stack([finite[index] for index in alike]), rng(), draws)
    return [
        Comparison(
            n=len(row),
            dropped=len(b) - len(row),
            difference=float(interval.mean[index]),
            low=float(interval.low[index]),
            high=float(interval.high[index]),
            spread=float(row.std(ddof=1)) if len(row) >= 2 else float("nan"),
            superiority=float(((row > 0) + 0.5 * (row == 0)).mean()) if len(row) else float("nan"),
            p=float(p[index]),
            exact=len(row) <= EXACT_UP_TO,
        )
        for index, row in enumerate(finite)
    ]


def sign_flip_p(differences: Floats, rng: np.random.Generator, *, draws: int = 10_000) -> float:
    """The two-sided p-value of the sign-flip test of differences [n] without NaN; NaN for n = 0.

    >>> import numpy as np
    >>> from heatproof.stats import sign_flip_p
    >>> sign_flip_p(np.array([1.0, 2.0, 3.0]), np.random.default_rng(0))
    0.25
    """
    return float(_sign_flip_ps(differences[None], rng, draws)[0])


def _sign_flip_ps(differences: Floats, rng: np.random.Generator, draws: int) -> Floats:
    """The p-values of `sign_flip_p` for rows of differences, which share the sign vectors."""
    n = differences.shape[1]
    if n == 0:
        return np.full(len(differences), np.nan)
    # Sums of the same numbers in another order differ in the last bits: a tolerance keeps equal sums equal.
    observed = np.abs(differences.sum(axis=1)) - 1e-12 * np.abs(differences).sum(axis=1)
    if n <= EXACT_UP_TO:
        return np.asarray((np.abs(all_signs(n) @ differences.T) >= observed).mean(axis=0))
    hits, chunk = np.zeros(len(differences)), max(1, 4_000_000 // n)
    for start in range(0, draws, chunk):
        bits = rng.integers(0, 2, size=(min(chunk, draws - start), n), dtype=np.int8)
        for few in np.array_split(bits, 8):  # as numbers, they take eight times the memory
            hits += (np.abs((few * 2.0 - 1.0) @ differences.T) >= observed).sum(axis=0)
    return (1 + hits) / (1 + draws)


def sign_flip_ps(differences: Floats, rng: np.random.Generator, *, draws: int = 2_000) -> Floats:
    """The p-values of many sign-flip tests at once, for rows of differences [rows, n] without NaN, which share the sign vectors.

    >>> import numpy as np
    >>> from heatproof.stats import sign_flip_ps
    >>> sign_flip_ps(np.array([[1.0, 2.0, 3.0], [1.0, -1.0, 0.0]]), np.random.default_rng(0)).tolist()
    [0.25, 1.0]
    """
    rows, n = differences.shape
    if n == 0:
        return np.full(rows, np.nan)
    reached, _, vectors = _shares_reached(differences, rng, draws)
    return reached if n <= EXACT_UP_TO else (1 + reached * vectors) / (1 + vectors)


def randomised_ps(differences: Floats, rng: np.random.Generator, *, draws: int = 2_000) -> Floats:
    """The randomised p-values of many sign-flip tests, which are uniform under the hypothesis whatever the number of images.

        p = share of the sign vectors that exceed T + U · share that reach it exactly,    U uniform on [0, 1]

    The p-value of few images, or of scores with many ties, has few possible values, and the test at a level between two of them
    has the lower one. The randomised p-value has no steps: it shows whether a hypothesis holds and not how fine the test is. It is
    for simulations; a comparison must not depend on U. Source: Lehmann & Romano, "Testing statistical hypotheses", 2005, ch. 3.

    >>> import numpy as np
    >>> from heatproof.stats import randomised_ps
    >>> found = randomised_ps(np.array([[1.0, 2.0, 3.0]] * 4), np.random.default_rng(0))
    >>> bool((found < 0.25).all()), len(set(found.tolist()))
    (True, 4)
    """
    rows, n = differences.shape
    if n == 0:
        return np.full(rows, np.nan)
    reached, exceeded, vectors = _shares_reached(differences, rng, draws)
    own = 0.0 if n <= EXACT_UP_TO else 1.0  # the observed signs are among all sign vectors, but not among drawn ones
    ties = (reached - exceeded) * vectors + own
    chosen: Floats = (exceeded * vectors + rng.random(rows) * ties) / (vectors + own)
    return chosen


def _shares_reached(differences: Floats, rng: np.random.Generator, draws: int) -> tuple[Floats, Floats, int]:
    """For each row, the shares of the sign vectors whose sum has at least the observed size and more than it; and their number."""
    rows, n = differences.shape
    # The sums of s and −s have one size, so half of all sign vectors give the same share.
    signs = all_signs(n)[: 2 ** (n - 1)] if n <= EXACT_UP_TO else rng.integers(0, 2, size=(draws, n)) * 2.0 - 1.0
    observed, rounding = np.abs(differences.sum(axis=1)), 1e-12 * np.abs(differences).sum(axis=1)
    reached, exceeded, chunk = np.zeros(rows), np.zeros(rows), max(1, 2_000_000 // len(signs))
    for start in range(0, rows, chunk):
        part = slice(start, start + chunk)
        sums = np.abs(signs @ differences[part].T)
        reached[part] = (sums >= observed[part] - rounding[part]).sum(axis=0)
        exceeded[part] = (sums > observed[part] + rounding[part]).sum(axis=0)
    return reached / len(signs), exceeded / len(signs), len(signs)


def smallest_p(n: int, draws: int = 10_000) -> float:
    """The smallest two-sided p-value that n images can give, which is that of differences of one sign.

    >>> from heatproof.stats import smallest_p
    >>> smallest_p(6)
    0.03125
    """
    return min(1.0, 2.0 / 2.0**n) if n <= EXACT_UP_TO else 1.0 / (1 + draws)


def fewest_images(alpha: float) -> int:
    """The smallest number of images of which a unanimous difference is significant at level alpha.

    >>> from heatproof.stats import fewest_images
    >>> fewest_images(0.05), fewest_images(0.01)
    (6, 8)
    """
    return next((n for n in range(2, EXACT_UP_TO + 1) if smallest_p(n) < alpha), EXACT_UP_TO + 1)


@cache
def all_signs(n: int) -> Floats:
    """All sign vectors, [2ⁿ, n]."""
    bits = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    return np.asarray(bits * 2.0 - 1.0, dtype=np.float64)
