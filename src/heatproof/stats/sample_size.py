"""How many images would tell two methods apart, were the gap as it looks now?

    n = ((z_{1−α/2} + z_{power}) · sd(d) / mean(d))² + z²_{1−α/2} / 2

d the paired differences. Normal approximation with Guenther's correction for the estimated spread ("Sample size formulas for normal
theory t tests", The American Statistician 35, 1981). A plan, not a promise: the gap is itself uncertain.
"""

import math

from heatproof.core.errors import SettingsError


def images_needed(difference: float, spread: float, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Images needed to find a mean difference with that spread of differences; inf for no difference, NaN if either is unknown.

    Raises:
        SettingsError: alpha or power outside (0, 1).
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
