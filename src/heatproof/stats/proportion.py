"""The confidence interval of a share, by Wilson's method.

    (p̂ + z²/2n ± z √(p̂ (1 − p̂)/n + z²/4n²)) / (1 + z²/n)

p̂ is the observed share of n trials and z a quantile of the normal distribution. Unlike p̂ ± z √(p̂ (1 − p̂)/n) it stays within [0, 1]
and has a width where all trials agree. Source: Wilson, "Probable inference, the law of succession, and statistical inference",
Journal of the American Statistical Association 22, 1927.
"""

import math


def wilson(hits: int, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """The interval of the share of `hits` in `n` trials; NaN for no trials.

    >>> from heatproof.stats import wilson
    >>> [round(end, 3) for end in wilson(100, 2000)]
    [0.041, 0.06]
    """
    from scipy.special import ndtri

    if n == 0:
        return float("nan"), float("nan")
    z, share = float(ndtri(0.5 + level / 2)), hits / n
    middle, half = share + z**2 / (2 * n), z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low, high = (middle - half) / (1 + z**2 / n), (middle + half) / (1 + z**2 / n)
    return (0.0 if hits == 0 else low), (1.0 if hits == n else high)
