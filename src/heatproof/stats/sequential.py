"""Group-sequential tests of paired comparisons: which comparisons are decided, so that no more images are needed?

At look l of L, on the images so far, each of K comparisons has the sign-flip p-value p_k of its differences d_i (see `paired`):

    different    L · Holm_k(p_1 … p_K) < α
    equal        L · K · max(p(d > −margin), p(d < margin)) < α      one-sided sign-flip p of d + margin and of margin − d

Guarantee: the probability that any of the L looks declares any comparison different that is not, is at most α, however the images
are distributed and however comparisons depend on each other. By Holm's correction each look errs with at most α/L, and by
Bonferroni's L looks err with at most α, whether and whenever the run stops. "Equal" is a family of its own with the same guarantee.
Like every sign-flip test, it assumes that differences are symmetric about their mean under the hypothesis. Intervals at level 1 −
α/L hold at all looks simultaneously, hence also at the last one. The cost: at L = 5, z grows from 1.96 to 2.58, where Pocock's
boundary for normal data has 2.41.

The number of looks, and the number of images after which each takes place, are fixed before the first image is scored. There is no
look at so few images that even differences of one sign could not decide, which loses nothing.

Source: Bonferroni over looks, e.g. Jennison & Turnbull, "Group sequential methods", 2000, ch. 2 (Pocock's boundary: table 2.1);
Holm, Scandinavian Journal of Statistics 6, 1979; two one-sided tests: Schuirmann, J. Pharmacokin. Biopharm. 15, 1987.

Missing values: an image counts only where both methods have a score; a comparison without any is not a member of the family.
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
    """The state of a comparison after a look."""

    DIFFERENT = "different"
    EQUAL = "equal"
    OPEN = "open"
    UNTESTED = "no image has both scores"


def plan_looks(images: int, batch: int, comparisons: int, looks: int) -> tuple[int, ...]:
    """The numbers of images after which to look: at most `looks` ends of batches, spread evenly over those that could decide. The
    last look is at all images.

    With few images or many comparisons no earlier batch could decide, and the end is the only look. As p is never below 1/10,001
    for more than 14 images, this is so whenever comparisons × looks reach 500.

    Raises:
        SettingsError: One of the numbers is below 1.

    >>> from heatproof.stats import plan_looks
    >>> plan_looks(images=40, batch=4, comparisons=3, looks=3)
    (12, 24, 40)
    """
    if min(images, batch, comparisons, looks) < 1:
        raise SettingsError(
            f"expected at least one image, batch, comparison and look, got {images}, {batch}, {comparisons} and {looks}."
        )
    able = [n for n in range(batch, images, batch) if smallest_p(n) * comparisons * looks < ALPHA]
    early = min(looks - 1, len(able))
    return (*(able[math.floor(i * len(able) / early)] for i in range(early)), images)


def decide(values: Floats, pairs: Sequence[tuple[int, int]], looks: int, margin: float | None = None) -> list[Decision]:
    """The decision of one of `looks` looks about each pair of rows; a pure function of its arguments.

    Args:
        values: scores [m, n] of m methods on the images so far, NaN where there is none.
        pairs: the rows that are compared; together they are the family of tests.
        looks: the number of planned looks, this one and the last included.
        margin: the difference, in the unit of the score, below which two methods count as equal; None = none is ever declared
            equal.

    Raises:
        TensorError: The values are not [m, n].
        SettingsError: There are fewer than one look, or the margin is not positive.

    >>> import numpy as np
    >>> from heatproof.stats import decide
    >>> noise = np.random.default_rng(0).normal(size=12)
    >>> [str(decision) for decision in decide(np.stack([noise + 5, noise, -noise]), [(0, 1), (1, 2)], looks=2)]
    ['different', 'open']
    """
    if values.ndim != 2:
        raise TensorError(f"expected scores [methods, images], got shape {values.shape}.")
    if looks < 1 or (margin is not None and not margin > 0):
        raise SettingsError(f"expected at least one look and a positive margin or None, got {looks} and {margin}.")
    differences = [values[i] - values[j] for i, j in pairs]
    finite = [d[np.isfinite(d)] for d in differences]
    different = looks * holm(np.array([_p(d) for d in finite])) < ALPHA
    family = looks * sum(len(d) > 0 for d in finite)
    return [
        Decision.UNTESTED
        if not len(d)
        else Decision.DIFFERENT
        if apart
        else Decision.EQUAL
        if margin is not None and family * max(_p_positive(margin + d), _p_positive(margin - d)) < ALPHA
        else Decision.OPEN
        for d, apart in zip(finite, different, strict=True)
    ]


def _p(differences: Floats) -> float:
    """The same sign vectors serve every comparison and every look, so that equal scores give equal decisions."""
    return sign_flip_p(differences, np.random.default_rng(0))


def _p_positive(differences: Floats) -> float:
    """The one-sided p-value against a mean of at most zero. Sign vectors come in pairs, so it is half the two-sided one."""
    return _p(differences) / 2 if differences.sum() > 0 else 1.0
