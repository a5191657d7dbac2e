"""Agreement of images about the order of methods, and of metrics with each other.

Kendall's W treats n images as judges of m methods; R_j is the sum over images of the rank of method j:

    W = 12 Σ_j (R_j − R̄)² / (n² (m³ − m) − n Σ_i T_i),    T_i = Σ over groups of t tied methods of (t³ − t)

W is 1 if all images rank the methods alike and 0 if they do not agree at all; for n random judges its expectation is 1/n. Source:
Kendall & Babington Smith, "The problem of m rankings", Annals of Mathematical Statistics 10, 1939; ties: Kendall, "Rank correlation
methods", 1948, ch. 6.

Metrics are compared by Spearman's rank correlation of the methods' means, after every metric is signed so that more is better.

Missing values: images without a score of every method (or methods without a score of both metrics) are dropped, and the number that
was used is returned.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from heatproof.core.errors import TensorError
from heatproof.core.records import Direction
from heatproof.stats.average_ranks import average_ranks
from heatproof.stats.bootstrap import Floats


@dataclass(frozen=True)
class Concordance:
    """Kendall's `w` in [0, 1] over `n` images and `m` methods; `dropped` images lacked a score.

    `w` is NaN where n < 2 or m < 2, or where all methods tie on all images.
    """

    w: float
    n: int
    m: int
    dropped: int


def kendall_w(values: Floats) -> Concordance:
    """The agreement of images about methods, from scores [m, n]. Methods without any score are left out.

    Raises:
        TensorError: The scores are not [m, n].

    >>> import numpy as np
    >>> from heatproof.stats import kendall_w
    >>> kendall_w(np.array([[0.1, 0.2, 0.1], [0.5, 0.6, 0.4], [0.9, 0.8, 0.7]]))
    Concordance(w=1.0, n=3, m=3, dropped=0)
    """
    if values.ndim != 2:
        raise TensorError(f"expected scores [methods, images], got shape {values.shape}.")
    scored = values[np.isfinite(values).any(axis=1)]
    complete = scored[:, np.isfinite(scored).all(axis=0)]
    m, n = complete.shape
    dropped = values.shape[1] - n
    if m < 2 or n < 2:
        return Concordance(float("nan"), n, m, dropped)
    ranks = average_ranks(complete.T).T
    sums = ranks.sum(axis=1)
    alike = (complete[:, None] == complete).sum(axis=0, dtype=np.float64)  # [m, n]: the size t of the group that each is tied in
    ties = float((alike**2 - 1).sum())  # t terms of t² − 1 for each group
    most = n**2 * (m**3 - m) - n * ties
    w = 12 * float(((sums - sums.mean()) ** 2).sum()) / most if most > 0 else float("nan")
    return Concordance(w, n, m, dropped)


def spearman_matrix(means: Floats, directions: Sequence[Direction]) -> tuple[Floats, np.ndarray[Any, np.dtype[np.int64]]]:
    """The rank correlation between metrics, over methods.

    Args:
        means: [k, m] means of m methods under k metrics, NaN where a metric has no mean for a method.
        directions: which way each metric is better.

    Returns:
        Correlations [k, k] and the number of methods behind each [k, k]; a correlation is NaN for fewer than three methods or a
            constant metric.

    Raises:
        TensorError: The means are not [k, m], or the number of directions is not k.

    >>> import numpy as np
    >>> from heatproof.core.records import Direction
    >>> from heatproof.stats import spearman_matrix
    >>> means = np.array([[1.0, 2.0, 3.0], [9.0, 5.0, 1.0]])
    >>> correlations, methods = spearman_matrix(means, [Direction.HIGHER, Direction.LOWER])
    >>> correlations.round(2).tolist(), int(methods[0, 1])
    ([[1.0, 1.0], [1.0, 1.0]], 3)
    """
    if means.ndim != 2 or len(directions) != len(means):
        raise TensorError(f"expected means [metrics, methods] and a direction per metric, got {means.shape} and {len(directions)}.")
    signs = np.array([-1.0 if direction == Direction.LOWER else 1.0 for direction in directions])
    signed = means * signs[:, None]
    k = len(signed)
    correlations, counts = np.full((k, k), np.nan), np.zeros((k, k), dtype=np.int64)
    for i in range(k):
        for j in range(k):
            both = np.isfinite(signed[i]) & np.isfinite(signed[j])
            counts[i, j] = both.sum()
            if counts[i, j] < 3:
                continue
            a, b = (average_ranks(row[both]) - (counts[i, j] + 1) / 2 for row in (signed[i], signed[j]))
            length = float(np.sqrt((a @ a) * (b @ b)))
            correlations[i, j] = float(a @ b) / length if length > 0 else np.nan
    return correlations, counts
