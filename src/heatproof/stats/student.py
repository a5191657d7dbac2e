"""The mean of few values that nothing is resampled from, such as the accuracies of a handful of trained networks.

    [low, high] = mean ± t_(n−1) s / √n,    p = P(|t_(n−1)| ≥ |mean| √n / s)

s is the standard deviation of the n values, and t_(n−1) has Student's distribution. The p-value is of the hypothesis that the mean
is zero: for the differences of two methods, network by network, this is the paired t-test. It takes the values to be normal, which
three networks cannot show to be wrong, and a sign-flip test of three values could never be significant (p ≥ .25).

Source: Student, "The probable error of a mean", Biometrika 1908.
"""

from dataclasses import dataclass

import numpy as np

from heatproof.core.errors import TensorError
from heatproof.stats.bootstrap import Floats


@dataclass(frozen=True)
class StudentInterval:
    """The mean of n values with its interval, and the p-value of a mean of zero; both are NaN for fewer than two values."""

    n: int
    mean: float
    low: float
    high: float
    p: float


def student(values: Floats, *, level: float = 0.95) -> StudentInterval:
    """The mean of values [n], with its interval and the p-value of the hypothesis that it is zero.

    Values that are all equal have an interval of no length; then p is 0, or 1 if they are zero.

    Raises:
        TensorError: There are no values, or they are no row of finite numbers.

    >>> import numpy as np
    >>> from heatproof.stats import student
    >>> found = student(np.array([1.0, 2.0, 3.0]))
    >>> round(found.mean, 2), round(found.low, 2), round(found.high, 2), round(found.p, 3)
    (2.0, -0.48, 4.48, 0.074)
    """
    from scipy.special import stdtr, stdtrit

    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise TensorError(f"expected a row of finite values, got {values.tolist()}; leave out what was not measured")
    n, mean = len(values), float(values.mean())
    if n < 2:
        return StudentInterval(n, mean, float("nan"), float("nan"), float("nan"))
    error = float(values.std(ddof=1)) / n**0.5
    if error <= 1e-12 * abs(mean):
        return StudentInterval(n, mean, mean, mean, float(mean == 0))
    reach = float(stdtrit(n - 1, (1 + level) / 2)) * error
    return StudentInterval(n, mean, mean - reach, mean + reach, float(2 * stdtr(n - 1, -abs(mean) / error)))
