"""The standard error of a mean score, split into the part due to the choice of images and the part due to the random draws of a
method or metric.

    SE_sampling = sd(v_i) / √n,    SE_MC = √(Σ e_i²) / n,    share = SE_MC² / SE_sampling²

v_i is the score of image i and e_i its Monte Carlo standard error. The spread of the v_i contains the Monte Carlo noise, so the
share is the part of the variance of the mean that more draws could remove; only more images can remove the rest. With few images
the share may exceed 1 by chance.

Missing values: images without a score are dropped. An image without a Monte Carlo error counts as exact (e_i = 0) if others have
one; if none has one, nothing was sampled and the Monte Carlo error is NaN.
"""

from dataclasses import dataclass

import numpy as np

from heatproof.core.errors import TensorError
from heatproof.stats.bootstrap import Floats


@dataclass(frozen=True)
class ErrorSources:
    """Standard errors of the mean of n images, in the unit of the score, and the Monte Carlo `share` of the variance."""

    sampling: float
    monte_carlo: float
    share: float
    n: int


def error_sources(values: Floats, errors: Floats) -> ErrorSources:
    """The sampling and the Monte Carlo standard error of the mean of values [n] with Monte Carlo standard errors [n].

    Raises:
        TensorError: The two are not rows of the same length.

    >>> import numpy as np
    >>> from heatproof.stats import error_sources
    >>> sources = error_sources(np.array([1.0, 2.0, 3.0, 4.0]), np.full(4, 0.5))
    >>> round(sources.sampling, 3), round(sources.monte_carlo, 3), round(sources.share, 2)
    (0.645, 0.25, 0.15)
    """
    if values.ndim != 1 or values.shape != errors.shape:
        raise TensorError(f"expected scores [n] and their errors [n], got shapes {values.shape} and {errors.shape}.")
    present = np.isfinite(values)
    scores, noise = values[present], errors[present]
    n = len(scores)
    sampling = float(scores.std(ddof=1) / np.sqrt(n)) if n >= 2 else float("nan")
    known = np.isfinite(noise)
    monte_carlo = float(np.sqrt((noise[known] ** 2).sum()) / n) if known.any() else float("nan")
    share = monte_carlo**2 / sampling**2 if sampling > 0 else float("nan")
    return ErrorSources(sampling, monte_carlo, share, n)
