"""The effect size of a paired difference, and the images until it is detected.

    d = mean(a − b) / sd(a − b),    √n d ~ t_{n−1}(√n δ)

d is the difference in standard deviations over images, and δ that of all images there could be. The interval of δ inverts the
noncentral t distribution, which holds for normal differences. The images that a power of 80 % needs follow from d as in
`sample_size.py`, and are never fewer than the sign-flip test of `paired.py` can decide by; their range is that of the ends of
the interval, and it ends at infinity if δ = 0 is among them.

Source: Steiger & Fouladi, "Noncentrality interval estimation and the evaluation of statistical models", 1997.

Missing values: an image counts only where both methods have a score.
"""

from dataclasses import dataclass

import numpy as np

from heatproof.core.errors import TensorError
from heatproof.stats.bootstrap import Floats
from heatproof.stats.multiplicity import ALPHA
from heatproof.stats.paired import fewest_images
from heatproof.stats.sample_size import images_needed


@dataclass(frozen=True)
class EffectSize:
    """The effect size `d` of a − b with its interval [`low`, `high`], and the `images` that detect it, with their range.

    d is infinite where all `n` differences are the same and not 0; it is NaN where n < 2. `images_high` is infinite where [low,
    high] contains 0.
    """

    d: float
    low: float
    high: float
    images: float
    images_low: float
    images_high: float
    n: int


def effect_size(a: Floats, b: Floats, *, alpha: float = ALPHA, power: float = 0.8, level: float = 0.95) -> EffectSize:
    """The effect size of scores a [n] over scores b [n] of the same images.

    Raises:
        TensorError: a and b are not two rows of the same length.

    >>> import numpy as np
    >>> from heatproof.stats import effect_size
    >>> effect = effect_size(np.array([1.0, 2.0, 3.0, 4.0, 2.0, 3.0]), np.full(6, 2.0))
    >>> round(effect.d, 2), effect.images, effect.images_high
    (0.48, 37, inf)
    """
    from scipy.special import nctdtrinc

    if a.ndim != 1 or a.shape != b.shape:
        raise TensorError(f"expected two rows of scores of the same images, got shapes {a.shape} and {b.shape}.")
    differences = (a - b)[np.isfinite(a - b)]
    n = len(differences)
    if n < 2:
        unknown = float("nan")
        return EffectSize(unknown, unknown, unknown, unknown, unknown, unknown, n)
    mean, spread = float(differences.mean()), float(differences.std(ddof=1))
    if spread <= 1e-12 * abs(mean) or spread == 0:
        d = float(np.sign(mean)) * float("inf") if mean else 0.0
        images = float(fewest_images(alpha)) if mean else float("inf")
        return EffectSize(d, d, d, images, images, images, n)
    d, tail = mean / spread, (1 - level) / 2
    low, high = (float(nctdtrinc(n - 1, share, np.sqrt(n) * d)) / float(np.sqrt(n)) for share in (1 - tail, tail))

    def needed(size: float) -> float:
        return max(images_needed(size, 1.0, alpha=alpha, power=power), fewest_images(alpha))

    nearest, farthest = sorted((abs(low), abs(high)))
    images_high = needed(nearest) if low * high > 0 else float("inf")
    return EffectSize(d, low, high, needed(d), needed(farthest), images_high, n)
