"""The number of images needed to detect the difference between two methods, if it is as large as observed.

    n = ((z_{1−α/2} + z_{power}) · sd(d) / mean(d))² + z²_{1−α/2} / 2

d are the paired differences. The formula is the normal approximation with Guenther's correction for the estimated spread ("Sample
size formulas for normal theory t tests", The American Statistician 35, 1981). The result is uncertain, as the observed difference
is.
"""

import math

from heatproof.core.errors import SettingsError


def images_needed(difference: float, spread: float, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """The number of images needed to detect a mean difference, given the standard deviation `spread` of the differences.

    It is infinite for no difference, and NaN if either number is.

    Raises:
        SettingsError: alpha or power is outside (0, 1).

    >>> from heatproof.stats import images_needed
    >>> images_needed(difference=0.5, spread=1.0)
    34
    """
    from scipy.special import ndtri

    if not (0 < alpha < 1 and 0 < power < 1):
        raise SettingsError(f"expected alpha and power between 0 and 1, got {alpha} and {power}.")
    if math.isnan(difference) or math.isnan(spread):
        return float("nan")
    if difference == 0:
        return float("inf")
    z = float(ndtri(1 - alpha / 2))
    return max(2.0, math.ceil(((z + float(ndtri(power))) * spread / difference) ** 2 + z**2 / 2))
