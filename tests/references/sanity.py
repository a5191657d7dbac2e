"""Sanity checks written out, one image at a time, in float64 numpy: maps in, numbers out."""

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
from scipy.stats import spearmanr

Array = "np.ndarray[tuple[int, ...], np.dtype[np.float64]]"


def rank_similarity(a: Array, b: Array, *, absolute: bool) -> float:
    """Spearman's ρ of channel sums of values, or of magnitudes."""
    x, y = (np.abs(m).sum(0) if absolute else m.sum(0) for m in (a, b))
    return float(spearmanr(x.ravel(), y.ravel()).statistic)


def cascade(clean: Array, maps: Sequence[Array], *, absolute: bool) -> tuple[float, list[float]]:
    """Mean similarity over stages, and each."""
    each = [rank_similarity(clean, other, absolute=absolute) for other in maps]
    return sum(each) / len(each), each


def entropy(values: Array, bins: int) -> float:
    """−Σ p ln p of a histogram from the least to the greatest value."""
    low, high = values.min(), values.max()
    counts = [0] * bins
    for value in values.ravel():
        counts[min(bins - 1, int((value - low) / (high - low) * bins))] += 1
    shares = [count / values.size for count in counts if count]
    return -sum(share * np.log(share) for share in shares)


def rise(clean: Array, maps: Sequence[Array], bins: int) -> float:
    """Relative rise of the entropy, mean over networks."""
    before = entropy(clean, bins)
    return sum((entropy(other, bins) - before) / before for other in maps) / len(maps)


def convergence(maps: Sequence[Array]) -> float:
    """The median |cosine| over pairs: of an even number of pairs, the mean of the two in the middle."""
    cosines = []
    for a, b in combinations(maps, 2):
        cosines.append(abs(float((a * b).sum()) / float(np.sqrt((a * a).sum() * (b * b).sum()))))
    lower, upper = sorted(cosines)[(len(cosines) - 1) // 2], sorted(cosines)[len(cosines) // 2]
    return (lower + upper) / 2


def under_change(
    clean: Array, explain: Callable[[Array], Array], changed: Sequence[Array], measure: Callable[..., float]
) -> list[float]:
    """Similarity to the clean map at each level."""
    return [measure(clean, explain(image)) for image in changed]
