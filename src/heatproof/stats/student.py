"""The mean of few values that nothing is resampled from, such as the accuracies of a handful of trained networks.

    [low, high] = mean ± t_(n−1) s / √n,    p = P(|t_(n−1)| ≥ |mean| √n / s)

s is the standard deviation of the n values, and t_(n−1) has Student's distribution. The p-value is of the hypothesis that the mean
is zero: for the differences of two methods, network by network, this is the paired t-test. It takes the values to be normal, which
three networks cannot show to be wrong, and a sign-flip test of three values could never be significant (p ≥ .25).

Values that lie within bounds [a, b], such as accuracies, areas under a curve and their differences, are not normal near a bound,
and the interval above reaches beyond it. Theirs is taken where there are no bounds, on the scale of the log-odds, and brought back:

    g(v) = log((v − a) / (b − v)),    g(mean) ± t_(n−1) g′(mean) s / √n,    p = P(|t_(n−1)| ≥ |g(mean) − g(0)| √n / (g′(mean) s))

It always lies within the bounds, and the mean within it. The mean is transformed and not each value, as single values may equal a
bound; where the mean does, all values do, and the interval has no length, as that of any n equal values. That says that the n did
not differ, and nothing of the next one. If zero is a bound, the p-value is 0, or 1 where all values are zero.

Measured coverage of 95 % intervals of three values of a Beta distribution of mean .5, .7, .9 and .97: .95, .94, .93 and .85 by the
first formula and .95, .95, .95 and .94 by the second where its parameters sum to 20; .94, .93, .84 and .62, and .95, .95, .94 and
.82 where they sum to 5.

Source: Student, "The probable error of a mean", Biometrika 1908; the log-odds of a share: Agresti, "Categorical data analysis", 3rd
ed., 2013, §3.1.
"""

from dataclasses import dataclass
from math import inf, log

import numpy as np

from heatproof.core.errors import SettingsError, TensorError
from heatproof.stats.bootstrap import Floats

ROUNDING = 1e-12
"""Values that differ by less are equal, and values that exceed a bound by less are at it: a mean of shares may be 1 + 10⁻¹⁶."""


@dataclass(frozen=True)
class StudentInterval:
    """The mean of n values with its interval, and the p-value of a mean of zero; both are NaN for fewer than two values."""

    n: int
    mean: float
    low: float
    high: float
    p: float


def student(values: Floats, *, bounds: tuple[float, float] | None, level: float = 0.95) -> StudentInterval:
    """The mean of values [n], with its interval and the p-value of the hypothesis that it is zero.

    Values that are all equal have an interval of no length; then p is 0, or 1 if they are zero.

    Args:
        values: one number for each independent repetition, such as each trained network.
        bounds: the smallest and the largest number that a value can be, within which the interval then lies; None = there are none.
        level: the nominal coverage of the interval.

    Raises:
        TensorError: There are no values, or they are no row of finite numbers within the bounds.
        SettingsError: The bounds are not two finite numbers in ascending order.

    >>> import numpy as np
    >>> from heatproof.stats import student
    >>> found = student(np.array([1.0, 2.0, 3.0]), bounds=None)
    >>> round(found.mean, 2), round(found.low, 2), round(found.high, 2), round(found.p, 3)
    (2.0, -0.48, 4.48, 0.074)
    >>> areas = student(np.array([0.95, 0.87, 0.68]), bounds=(0, 1))
    >>> round(areas.mean, 2), round(areas.low, 2), round(areas.high, 2)
    (0.83, 0.3, 0.98)
    """
    from scipy.special import expit, stdtr, stdtrit

    if bounds and not -inf < bounds[0] < bounds[1] < inf:
        raise SettingsError(f"bounds: expected two finite numbers in ascending order, got {bounds}; give None for values without.")
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise TensorError(f"expected a row of finite values, got {values.tolist()}; leave out what was not measured")
    low, high = bounds or (-inf, inf)
    if not (values.min() >= low - ROUNDING and values.max() <= high + ROUNDING):
        raise TensorError(
            f"expected values within {low:g} and {high:g}, got {values.tolist()}; give the bounds of what was measured"
        )
    values = values.clip(low, high)
    n, mean = len(values), float(values.mean())
    if n < 2:
        return StudentInterval(n, mean, float("nan"), float("nan"), float("nan"))
    error = float(values.std(ddof=1)) / n**0.5
    if error <= ROUNDING * abs(mean) or not low < mean < high:
        return StudentInterval(n, mean, mean, mean, float(mean == 0))
    t = float(stdtrit(n - 1, (1 + level) / 2))
    if bounds is None:
        return StudentInterval(n, mean, mean - t * error, mean + t * error, float(2 * stdtr(n - 1, -abs(mean) / error)))
    place, zero = _log_odds(mean, low, high), _log_odds(0.0, low, high)
    error *= (high - low) / ((mean - low) * (high - mean))
    ends = np.clip(low + (high - low) * expit([place - t * error, place + t * error]), [low, mean], [mean, high])
    return StudentInterval(n, mean, float(ends[0]), float(ends[1]), float(2 * stdtr(n - 1, -abs(place - zero) / error)))


def _log_odds(value: float, low: float, high: float) -> float:
    return -inf if value <= low else inf if value >= high else log((value - low) / (high - value))
