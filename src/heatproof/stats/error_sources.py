"""How much of the doubt comes from the images, and how much from the random draws of a method or metric?

    SE_sampling = sd(v_i) / √n,    SE_MC = √(Σ e_i²) / n,    share = SE_MC² / SE_sampling²

v_i score of image i, e_i its Monte Carlo standard error. The spread of the v_i holds the Monte Carlo noise already, so the share
is the part of the variance of the mean that more draws could remove; the rest only more images can. It may exceed 1 by chance for
few images.

Missing values: images without a score are dropped; an image without a Monte Carlo error counts as unsampled (e_i = 0) if others
have one, and if none has one the Monte Carlo error is NaN: nothing was sampled.
"""

from dataclasses import dataclass

import numpy as np

from heatproof.core.errors import TensorError
from heatproof.stats.bootstrap import Floats


@dataclass(frozen=True)
class ErrorSources:
    """Standard errors of the mean of n images, in the unit of the score; `share` of the variance that is Monte Carlo."""

    sampling: float
    monte_carlo: float
    share: float
    n: int


def error_sources(values: Floats, errors: Floats) -> ErrorSources:
    """Sampling and Monte Carlo standard error of the mean of values [n] with Monte Carlo standard errors [n].

    Raises:
        TensorError: the two are not rows of the same length.
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
