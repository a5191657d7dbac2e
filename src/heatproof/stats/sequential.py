"""Looks at paired comparisons while images still come in: which are decided, so that no more images are needed?

At look l of L, on the images so far, each of K comparisons has the sign-flip p_k of its differences d_i (see `paired`):

    different    L · Holm_k(p_1 … p_K) < α
    equal        L · K · max(p(d > −margin), p(d < margin)) < α      one-sided sign-flip p of d + margin and of margin − d

Guarantee: the chance that any of the L looks calls any comparison different that is not, is at most α, however the images are
spread and however comparisons depend on each other: by Holm each look errs with at most α/L, and by Bonferroni L looks with at
most α, whether or when one stops. "Equal" is a family of its own with the same guarantee. As every sign-flip test it takes
differences to be symmetric about their mean under the hypothesis. Intervals at level 1 − α/L hold at all looks at once, hence at
the last one, in the same sense. The price: at L = 5, z grows from 1.96 to 2.58, where Pocock's boundary for normal data has 2.41.

The looks, how many and after how many images, are fixed before the first image is scored; images so few that even unanimity
could not decide are not looked at, which costs nothing.

Source: Bonferroni over looks, e.g. Jennison & Turnbull, "Group sequential methods", 2000, ch. 2 (Pocock's boundary: table 2.1);
Holm, Scandinavian Journal of Statistics 6, 1979; two one-sided tests: Schuirmann, J. Pharmacokin. Biopharm. 15, 1987.

Missing values: an image counts only where both have a score; a comparison without any is no member of the family.
"""

import math
from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from heatproof.core.errors import SettingsError, TensorError
from heatproof.stats.bootstrap import Floats
from heatproof.stats.multiplicity import ALPHA, holm
from heatproof.stats.paired import sign_flip_p, smallest_p


class Decision(StrEnum):
    """What a look says of a comparison."""

    DIFFERENT = "different"
    EQUAL = "equal"
    OPEN = "open"
    UNTESTED = "no image has both scores"


def plan_looks(images: int, batch: int, comparisons: int, looks: int) -> tuple[int, ...]:
    """Images after which to look: at most `looks` ends of batches, spread evenly over those that could decide; the last is the end.

    With few images or many comparisons no earlier batch could decide, and the end is the only look. As p is never below 1/10,001
    for more than 14 images, that is so whenever comparisons × looks reach 500.

    Raises:
        SettingsError: a number below 1.
    """
    if min(images, batch, comparisons, looks) < 1:
        raise SettingsError(
            f"expected at least one image, batch, comparison and look, got {images}, {batch}, {comparisons} and {looks}."
        )
    able = [n for n in range(batch, images, batch) if smallest_p(n) * comparisons * looks < ALPHA]
    kept = min(looks - 1, len(able))
    return (*(able[math.floor(i * len(able) / kept)] for i in range(kept)), images)


def decide(values: Floats, pairs: Sequence[tuple[int, int]], looks: int, margin: float | None = None) -> list[Decision]:
    """What one of `looks` looks says of each pair of rows; a pure function of its arguments.

    Args:
        values: scores [m, n] of m methods on the images so far, NaN where there is none.
        pairs: rows that are compared; together they are the family.
        looks: looks planned, this one and the last included.
        margin: difference, in the unit of the score, below which two count as equal; None = nothing is ever called equal.

    Raises:
        TensorError: values are not [m, n].
        SettingsError: fewer than one look, or a margin that is not positive.
    """
    if values.ndim != 2:
        raise TensorError(f"expected scores [methods, images], got shape {values.shape}.")
    if looks < 1 or (margin is not None and not margin > 0):
        raise SettingsError(f"expected at least one look and a positive margin or None, got {looks} and {margin}.")
    differences = [values[i] - values[j] for i, j in pairs]
    kept = [d[np.isfinite(d)] for d in differences]
    different = looks * holm(np.array([_p(d) for d in kept])) < ALPHA
    family = looks * sum(len(d) > 0 for d in kept)
    return [
        Decision.UNTESTED
        if not len(d)
        else Decision.DIFFERENT
        if apart
        else Decision.EQUAL
        if margin is not None and family * max(_p_positive(margin + d), _p_positive(margin - d)) < ALPHA
        else Decision.OPEN
        for d, apart in zip(kept, different, strict=True)
    ]


def _p(differences: Floats) -> float:
    """The same sign vectors for every comparison and every look, so that equal scores give equal answers."""
    return sign_flip_p(differences, np.random.default_rng(0))


def _p_positive(differences: Floats) -> float:
    """One-sided p against a mean of at most zero. Sign vectors come in pairs, so it is half the two-sided one."""
    return _p(differences) / 2 if differences.sum() > 0 else 1.0
