"""Which images a chart draws where there are more than it can show: every statistic is of all of them."""

from heatproof.core.formatting import count


def evenly(n: int, most: int) -> list[int]:
    """The places of at most `most` of n items in a row, evenly spaced, with the first and the last one.

    >>> from heatproof.report.figures.thinning import evenly
    >>> evenly(3, 5), evenly(9, 5)
    ([0, 1, 2], [0, 2, 4, 6, 8])
    """
    return list(range(n)) if n <= most else [round(place * (n - 1) / (most - 1)) for place in range(most)]


def drawn(n: int, most: int, how: str = ", evenly spaced in the order of the data") -> str:
    """What a caption says of the images that are drawn; empty if all are.

    >>> from heatproof.report.figures.thinning import drawn
    >>> drawn(9, 5)
    'The chart shows 5 of 9 images, evenly spaced in the order of the data.'
    """
    return f"The chart shows {most:,} of {count(n, 'image')}{how}." if n > most else ""
