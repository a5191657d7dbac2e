"""Holm's step-down correction of a family of p-values.

    p̃_(k) = max_{j ≤ k} min(1, (m − j + 1) p_(j)),    p_(1) ≤ … ≤ p_(m)

It controls the probability of any false rejection in the family, whatever the dependence between tests. Source: Holm, "A simple
sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979.

Missing values: a NaN stays NaN and does not count as a member of the family.
"""

import numpy as np

from heatproof.stats.bootstrap import Floats

ALPHA = 0.05
"""The significance level: the largest accepted probability of any false rejection in a family of tests."""


def holm(p: Floats) -> Floats:
    """The adjusted p-values [m], in the order of the p-values.

    >>> import numpy as np
    >>> from heatproof.stats import holm
    >>> holm(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p, dtype=np.float64)
    adjusted = np.full(values.shape, np.nan)
    tested = np.flatnonzero(np.isfinite(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.maximum.accumulate(np.minimum(1.0, factors * values[order]))
    return adjusted
