"""Krippendorff's α of the ranking of methods: how far single images agree about the order, with chance at 0.

    α = 1 − D_o / D_e,    D_o = mean over methods and over pairs of images of (r_ji − r_jk)²,
                          D_e = mean over all pairs of the m n ranks of (r − r′)²

r_ji is the rank of method j among the m methods on image i. α is 1 if every image ranks the methods alike, and near 0 for
random ranks; for n images without ties it is 1 − (m n − 1)(1 − W) / (m (n − 1)), W being Kendall's coefficient of concordance.
The interval is of the bootstrap over images; where a resample draws an image twice, the pair of the two is not counted.

Source: Krippendorff, "Content analysis", 4th ed., 2018, ch. 12; for metrics of maps: Tomsett et al., "Sanity checks for
saliency metrics", AAAI 2020. Differs from the book because ranks are compared as interval data.

Missing values: images without a score of every method are dropped, and counted.
"""

from dataclasses import dataclass

import numpy as np

from heatproof.core.errors import TensorError
from heatproof.stats.average_ranks import average_ranks
from heatproof.stats.bootstrap import Floats


@dataclass(frozen=True)
class Agreement:
    """Krippendorff's `alpha` with its interval [`low`, `high`], over `n` images and `m` methods.

    It is NaN for fewer than two images or methods.
    """

    alpha: float
    low: float
    high: float
    n: int
    m: int
    dropped: int


def krippendorff_alpha(scores: Floats, weights: Floats, *, level: float = 0.95) -> Agreement:
    """The agreement of images about the order of methods, from scores [methods, images] and weights [draws, images].

    Raises:
        TensorError: The scores are not [methods, images], or the weights are of another number of images.

    >>> import numpy as np
    >>> from heatproof.stats import krippendorff_alpha, resampling_weights
    >>> scores = np.array([[0.1, 0.2, 0.1], [0.5, 0.6, 0.4], [0.9, 0.8, 0.7]])
    >>> krippendorff_alpha(scores, resampling_weights(3, 100, np.random.default_rng(0))).alpha
    1.0
    """
    if scores.ndim != 2 or weights.shape[1:] != scores.shape[1:]:
        raise TensorError(f"expected scores [methods, images] and weights [draws, images], got {scores.shape} and {weights.shape}.")
    scored = scores[np.isfinite(scores).any(axis=1)]
    complete = np.isfinite(scored).all(axis=0)
    ranks = average_ranks(scored[:, complete].T).T if complete.any() else scored[:, complete]
    m, n = ranks.shape
    dropped = scores.shape[1] - n
    if m < 2 or n < 2:
        return Agreement(float("nan"), float("nan"), float("nan"), n, m, dropped)
    between = ((ranks[:, :, None] - ranks[:, None, :]) ** 2).mean(axis=0)
    spread = ((ranks - (m + 1) / 2) ** 2).sum(axis=0)
    drawn = np.concatenate([np.ones((1, n)), weights[:, complete]])
    total, pairs = drawn.sum(1), drawn.sum(1) ** 2 - (drawn**2).sum(1)
    observed = np.divide(((drawn @ between) * drawn).sum(1), pairs, out=np.full(len(drawn), np.nan), where=pairs > 0)
    expected = 2 * (drawn @ spread) / np.maximum(m * total - 1, 1)
    alpha = 1 - np.divide(observed, expected, out=np.full(len(drawn), np.nan), where=expected > 0)
    known = alpha[1:][np.isfinite(alpha[1:])]
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2]) if len(known) > 1 else (np.nan, np.nan)
    return Agreement(float(alpha[0]), float(low), float(high), n, m, dropped)
