"""Do images agree on the methods, and do metrics?

Kendall's W, with n images as judges of m methods and R_j the sum over images of the rank of method j:

    W = 12 Σ_j (R_j − R̄)² / (n² (m³ − m) − n Σ_i T_i),    T_i = Σ over groups of t tied methods of (t³ − t)

1: all images rank the methods alike; 0: no agreement at all; for n random judges W has expectation 1/n.
Source: Kendall & Babington Smith, "The problem of m rankings", Annals of Mathematical Statistics 10, 1939; ties: Kendall, "Rank
correlation methods", 1948, ch. 6.

Between metrics: Spearman's rank correlation of the methods' means, every metric turned so that more is better.

Missing values: images (or, between metrics, methods) without every score needed are dropped and the number used is returned.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from heatproof.core.errors import TensorError
from heatproof.core.records import Direction
from heatproof.stats.bootstrap import Floats


@dataclass(frozen=True)
class Concordance:
    """Kendall's `w` in [0, 1] over `n` images and `m` methods; `dropped` images lacked a score.

    NaN where n < 2 or m < 2 or all methods tie on all images.
    """

    w: float
    n: int
    m: int
    dropped: int


def kendall_w(values: Floats) -> Concordance:
    """Agreement of images about methods, from scores [m, n]. Methods without any score are left out."""
    from scipy.stats import rankdata

    if values.ndim != 2:
        raise TensorError(f"expected scores [methods, images], got shape {values.shape}.")
    scored = values[np.isfinite(values).any(axis=1)]
    whole = scored[:, np.isfinite(scored).all(axis=0)]
    m, n = whole.shape
    dropped = values.shape[1] - n
    if m < 2 or n < 2:
        return Concordance(float("nan"), n, m, dropped)
    ranks = rankdata(whole, axis=0)
    sums = ranks.sum(axis=1)
    ties = sum(float((counts**3 - counts).sum()) for column in whole.T for counts in [np.unique(column, return_counts=True)[1]])
    most = n**2 * (m**3 - m) - n * ties
    w = 12 * float(((sums - sums.mean()) ** 2).sum()) / most if most > 0 else float("nan")
    return Concordance(w, n, m, dropped)


def spearman_matrix(means: Floats, directions: Sequence[Direction]) -> tuple[Floats, np.ndarray[Any, np.dtype[np.int64]]]:
    """Rank correlation between metrics over methods.

    Args:
        means: [k, m] mean of m methods under k metrics, NaN where a method makes no claim.
        directions: which way each metric is better.

    Returns:
        Correlations [k, k] and the number of methods behind each [k, k]; NaN for fewer than three methods or a constant metric.
    """
    from scipy.stats import rankdata

    if means.ndim != 2 or len(directions) != len(means):
        raise TensorError(f"expected means [metrics, methods] and a direction per metric, got {means.shape} and {len(directions)}.")
    signs = np.array([-1.0 if direction == Direction.LOWER else 1.0 for direction in directions])
    turned = means * signs[:, None]
    k = len(turned)
    correlations, counts = np.full((k, k), np.nan), np.zeros((k, k), dtype=np.int64)
    for i in range(k):
        for j in range(k):
            both = np.isfinite(turned[i]) & np.isfinite(turned[j])
            counts[i, j] = both.sum()
            if counts[i, j] < 3:
                continue
            a, b = (rankdata(row[both]) - (counts[i, j] + 1) / 2 for row in (turned[i], turned[j]))
            length = float(np.sqrt((a @ a) * (b @ b)))
            correlations[i, j] = float(a @ b) / length if length > 0 else np.nan
    return correlations, counts
