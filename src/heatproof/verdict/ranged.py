"""A number with its interval, as the sentences and tables of a judgement show it."""

from heatproof.core.formatting import interval, number


def ranged(value: float, low: float, high: float, decimals: int = 2) -> str:
    """The number and its interval; what rounds to zero is shown as zero, since these numbers are of the order of 1.

    >>> from heatproof.verdict.ranged import ranged
    >>> ranged(0.123, -1.9e-17, 0.5), ranged(float("nan"), 0, 0)
    ('0.12 [0.00, 0.50]', '—')
    """
    value, low, high = (0.0 if abs(each) < 0.5 * 10**-decimals else each for each in (value, low, high))
    return number(value, decimals) if value != value else f"{number(value, decimals)} {interval(low, high, decimals)}"
