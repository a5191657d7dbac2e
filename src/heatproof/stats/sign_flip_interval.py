"""The interval of a mean that agrees with the sign-flip test: it contains 0 if and only if the test does not reject.

The test of `paired.py` of the hypothesis that the mean is θ changes the signs of the x_i − θ of a subset S of the images, and

    Σ_i s_i (x_i − θ) ≥ Σ_i (x_i − θ)    if and only if    mean of x over S ≤ θ

so that the p-value of θ is known from the means of all subsets, and the interval ends at two of them: with 12 images at level .05,
at the 102nd smallest and largest of 4,095. It assumes what the test assumes, that values are symmetric about their mean. It is
infinite where no values of that number could be significant. Beyond 2¹⁴ sign vectors the `draws` random ones of the test are used.

Source: Hartigan, "Using subsample values as typical values", Journal of the American Statistical Association 64, 1969.
Missing values: to be left out before.
"""

import math

import numpy as np

from heatproof.core.errors import TensorError
from heatproof.stats.bootstrap import Floats
from heatproof.stats.paired import EXACT_UP_TO, all_signs


def sign_flip_interval(values: Floats, rng: np.random.Generator, *, alpha: float, draws: int = 2_000) -> tuple[float, float]:
    """The means that the sign-flip test of values [n] does not reject: those whose p-value is not below `alpha`.

    Args:
        values: one number for each image, without NaN.
        rng: that of the test; used only when there are too many images to enumerate.
        alpha: the level of the test.
        draws: the number of random sign vectors, likewise.

    Raises:
        TensorError: The values are not [n].

    >>> import numpy as np
    >>> from heatproof.stats import sign_flip_interval
    >>> values = np.array([1.0, 2.0, 4.0, 5.0, 7.0, 8.0])
    >>> sign_flip_interval(values, np.random.default_rng(0), alpha=0.05)
    (1.0, 8.0)
    >>> sign_flip_interval(values, np.random.default_rng(0), alpha=0.03)
    (-inf, inf)
    """
    if values.ndim != 1:
        raise TensorError(f"expected one number for each image, got shape {values.shape}.")
    n = len(values)
    exact = n <= EXACT_UP_TO
    signs = all_signs(n) if exact else rng.integers(0, 2, size=(draws, n)) * 2.0 - 1.0
    changed = signs < 0
    changed = changed if exact else np.concatenate([changed, ~changed])  # the sums of s and −s have one size
    least = math.ceil(alpha * 2 ** (n - 1) - 1e-9) if exact else math.ceil(alpha * (1 + draws) - 1e-9)
    sizes = changed.sum(axis=1)
    means = (changed[sizes > 0] @ values) / sizes[sizes > 0]
    k = least - 1 - int((sizes == 0).sum() - exact)  # the observed signs count once, others without a change as often as drawn
    if k < 1 or k > len(means):
        return -math.inf, math.inf
    ordered = np.sort(means)
    return float(ordered[k - 1]), float(ordered[-k])
