"""Which of several methods may be the best? For each of them the p-value of the hypothesis that none of the others is better.

With δ_ki the score of method k less that of m on image i, over the methods k that are compared,

    T_m = max_k Σ_i δ_ki,    p_m = share of the sign vectors s ∈ {−1, 1}ⁿ with max_k Σ_i s_i δ_ki ≥ T_m

A sign belongs to an image, and so to all methods at once. If the means are equal, the differences of an image are as likely to have
all their signs changed, so that a method which is as good as the best has p_m ≤ α with a probability of α however many methods
there are: there is no correction for their number, and n images that agree give 2⁻ⁿ. The methods with p_m > α are a set that
contains the best one with a probability of 1 − α. Methods that are worse than m make p_m larger, as their signs, too, are changed.

All 2ⁿ sign vectors are enumerated while 2ⁿ ≤ 2¹⁴; beyond that `draws` random ones are used, with p = (1 + hits) / (1 + draws).

Source: the largest statistic under joint permutations is that of Westfall & Young, "Resampling-based multiple testing", 1993, and
the set that contains the best method that of Hansen, Lunde & Nason, "The model confidence set", Econometrica 79, 2011.
Differs from them because signs are changed instead of resampling images, which is exact for few images with symmetric differences.

Missing values: a difference that is missing counts as none.
"""

import numpy as np

from heatproof.core.errors import TensorError
from heatproof.stats.bootstrap import Floats
from heatproof.stats.paired import EXACT_UP_TO, all_signs


def best_of_ps(values: Floats, rng: np.random.Generator, *, draws: int = 4_000) -> Floats:
    """For each row of values [m, n] the p-value of the hypothesis that no other row has a larger mean.

    Args:
        values: scores [methods, images], more is better; NaN where there is none.
        rng: used only when there are too many images to enumerate.
        draws: the number of random sign vectors then.

    Raises:
        TensorError: The values are not [m, n].

    >>> import numpy as np
    >>> from heatproof.stats import best_of_ps
    >>> noise = np.random.default_rng(0).normal(size=(3, 6))
    >>> best_of_ps(noise + np.array([[9.0], [0.0], [9.0]]), np.random.default_rng(0)).round(3).tolist()
    [1.0, 0.016, 0.359]
    """
    if values.ndim != 2:
        raise TensorError(f"expected scores [methods, images], got shape {values.shape}.")
    m, n = values.shape
    exact = n <= EXACT_UP_TO
    signs = all_signs(n) if exact else rng.integers(0, 2, size=(draws, n)) * 2.0 - 1.0
    found = np.ones(m)
    for row in range(m):
        differences = np.nan_to_num(values - values[row])
        observed = float(differences.sum(axis=1).max())
        rounding = 1e-12 * float(np.abs(differences).sum(axis=1).max())
        hits = int(((differences @ signs.T).max(axis=0) >= observed - rounding).sum())
        found[row] = hits / len(signs) if exact else (1 + hits) / (1 + len(signs))
    return found
