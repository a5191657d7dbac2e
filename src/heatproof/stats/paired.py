"""Two methods on the same images: is the mean difference more than chance?

    d_i = a_i − b_i,    T = |Σ d_i|,    p = share of the sign vectors s ∈ {−1, 1}ⁿ with |Σ s_i d_i| ≥ T

Sign-flip permutation test: were both methods alike, each difference could as well have had the other sign. Exact over all 2ⁿ sign
vectors while 2ⁿ ≤ 2¹⁴; beyond that over `draws` random ones, with p = (1 + hits) / (1 + draws), which is never 0 (Phipson &
Smyth, "Permutation p-values should never be zero", 2010). The smallest p that n images can give is 2 / 2ⁿ (`smallest_p`).

Effect size: the paired probability of superiority, share of images with a_i > b_i, ties halved (Grissom & Kim, "Effect sizes for
research", 2012, ch. 6). It says how often, where p says how surely.

Missing values: an image counts only where both methods have a score; how many were dropped is returned.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from heatproof.core.errors import TensorError
from heatproof.stats.bootstrap import Floats, Kind, mean_interval

EXACT_UP_TO = 14
"""Images up to which all sign vectors are enumerated."""


@dataclass(frozen=True)
class Comparison:
    """Method a against method b on the images that both have.

    `difference` is mean(a − b) with its interval [low, high] and `spread` the standard deviation of the differences;
    `superiority` in [0, 1] is the share of images with a > b, ties halved. NaN where `n` does not allow a number.
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
        a: scores of the one method, NaN where there is none.
        b: scores of the other, image by image.
        weights: [draws, n] from `resampling_weights`, shared by all comparisons on these images.
        rng: used only when there are too many images to enumerate.
        level: coverage of the interval.
        kind: kind of the interval.
        draws: random sign vectors when n is too large to enumerate.

    Raises:
        TensorError: a and b are not two rows of the same length.
    """
    if a.ndim != 1 or a.shape != b.shape:
        raise TensorError(f"expected two rows of scores of the same images, got shapes {a.shape} and {b.shape}.")
    differences = a - b
    kept = differences[np.isfinite(differences)]
    interval = mean_interval(differences, weights, level=level, kind=kind)
    n = len(kept)
    return Comparison(
        n=n,
        dropped=len(a) - n,
        difference=float(interval.mean),
        low=float(interval.low),
        high=float(interval.high),
        spread=float(kept.std(ddof=1)) if n >= 2 else float("nan"),
        superiority=float(((kept > 0) + 0.5 * (kept == 0)).mean()) if n else float("nan"),
        p=sign_flip_p(kept, rng, draws=draws),
        exact=n <= EXACT_UP_TO,
    )


def sign_flip_p(differences: Floats, rng: np.random.Generator, *, draws: int = 10_000) -> float:
    """Two-sided p of the sign-flip test of differences [n] without NaN; NaN for none."""
    n = len(differences)
    if n == 0:
        return float("nan")
    # Sums of the same numbers in another order differ in the last bits: a tolerance keeps equal sums equal.
    observed = abs(differences.sum()) - 1e-12 * np.abs(differences).sum()
    if n <= EXACT_UP_TO:
        return float((np.abs(_all_signs(n) @ differences) >= observed).mean())
    hits, chunk = 0, max(1, 4_000_000 // n)
    for start in range(0, draws, chunk):
        signs = rng.integers(0, 2, size=(min(chunk, draws - start), n), dtype=np.int8) * 2.0 - 1.0
        hits += int((np.abs(signs @ differences) >= observed).sum())
    return (1 + hits) / (1 + draws)


def smallest_p(n: int, draws: int = 10_000) -> float:
    """The smallest two-sided p that n images can give: all of them agree."""
    return min(1.0, 2.0 / 2.0**n) if n <= EXACT_UP_TO else 1.0 / (1 + draws)


@cache
def _all_signs(n: int) -> Floats:
    """All sign vectors, [2ⁿ, n]."""
    bits = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    return np.asarray(bits * 2.0 - 1.0, dtype=np.float64)
