"""Holm's step-down correction of a family of p-values.

    p̃_(k) = max_{j ≤ k} min(1, (m − j + 1) p_(j)),    p_(1) ≤ … ≤ p_(m)

Controls the chance of any false claim in the family, whatever the dependence between tests.
Source: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979.

Missing values: a NaN stays NaN and is no member of the family.
"""

import numpy as np

from heatproof.stats.bootstrap import Floats

ALPHA = 0.05
"""Chance that a family of tests may have of any false claim."""


def holm(p: Floats) -> Floats:
    """Adjusted p-values, in the order given, [m]."""
    values = np.asarray(p, dtype=np.float64)
    adjusted = np.full(values.shape, np.nan)
    tested = np.flatnonzero(np.isfinite(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.maximum.accumulate(np.minimum(1.0, factors * values[order]))
    return adjusted
