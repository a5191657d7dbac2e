"""The permutation test of two independent samples: do their means differ by more than a random division would make them?

    d = |mean a − mean b|,    p = (1 + #{divisions with a difference ≥ d}) / (1 + draws)

A division puts as many of all numbers in the first group as a has. Where there are at most 20,000 divisions, all are counted and
p is their share, without the 1s, which stand for the observed division among random ones (Phipson & Smyth, "Permutation p-values
should never be zero", 2010).
"""

from itertools import combinations
from math import comb

import numpy as np

from heatproof.stats.bootstrap import Floats

EXACT = 20_000
"""The largest number of divisions that are all counted."""


def permutation_p(a: Floats, b: Floats, rng: np.random.Generator, *, draws: int = 10_000) -> float:
    """The two-sided p value for numbers a [n] and b [m] without NaN; NaN if one of them has none.

    Args:
        a: the first sample.
        b: the second one.
        rng: used only where there are too many divisions to count.
        draws: the number of random divisions then.

    >>> import numpy as np
    >>> from heatproof.stats import permutation_p
    >>> permutation_p(np.array([3.0, 4.0, 5.0]), np.array([0.0, 1.0, 2.0]), np.random.default_rng(0))
    0.1
    """
    if not len(a) or not len(b):
        return float("nan")
    both, n = np.concatenate([a, b]), len(a)
    exact = comb(len(both), n) <= EXACT
    if exact:
        chosen = np.array(list(combinations(range(len(both)), n)))
    else:
        chosen = rng.permuted(np.tile(np.arange(len(both)), (draws, 1)), axis=1)[:, :n]
    first = both[chosen].sum(1)
    differences = np.abs(first / n - (both.sum() - first) / len(b))
    observed = abs(a.mean() - b.mean()) - 1e-12 * (np.abs(both).max() + 1e-300)  # equal sums in another order differ in last bits
    hits = int((differences >= observed).sum())
    return hits / len(chosen) if exact else (1 + hits) / (1 + draws)
