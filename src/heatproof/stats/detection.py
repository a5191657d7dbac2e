"""Can a signal be told from its absence by a number that is known of each image with and without it?

    area = Σ_ij w_i w_j ([a_i > b_j] + ½ [a_i = b_j]) / (Σ_i w_i)²
    rate = Σ_i w_i [a_i > t] / Σ_i w_i,    t the smallest number with Σ_j w_j [b_j > t] ≤ α Σ_j w_j

a_i is the number of image i with the signal and b_i the one without, and w are the weights of a resample: 1 for the images as they
are. The area under the ROC curve is the chance that an image with the signal has the larger number than an image without it; the
rate is the share of the signals that are detected where a share of at most α of the others raises an alarm.

Intervals are percentiles of the bootstrap over images, in which both numbers of an image stay together; one image has none. Missing
values: an image without one of the two numbers is left out.

Source: Hanley & McNeil, "The meaning and use of the area under a receiver operating characteristic (ROC) curve", Radiology 143,
1982.
"""

from dataclasses import dataclass

import numpy as np

from heatproof.core.errors import TensorError
from heatproof.stats.association import AssociationEstimate
from heatproof.stats.bootstrap import Floats

FALSE_ALARMS = 0.05
"""The share of images without the signal that may raise an alarm."""


@dataclass(frozen=True)
class Detection:
    """How well a signal is detected, over `n` images.

    Attributes:
        n: the images with both numbers.
        area: the area under the ROC curve; 0.5 is chance.
        rate: the share of the signals that are detected, at `FALSE_ALARMS`.
    """

    n: int
    area: AssociationEstimate
    rate: AssociationEstimate


def detect(present: Floats, absent: Floats, weights: Floats) -> Detection:
    """How well numbers tell images with a signal from the same images without it.

    Args:
        present: the numbers with the signal [images]; NaN where there is none.
        absent: the numbers without it [images].
        weights: [draws, images] from `resampling_weights`; differences of two detections are paired if they share them.

    Raises:
        TensorError: The numbers are not of the same images, or the weights do not fit.

    >>> import numpy as np
    >>> from heatproof.stats import detect, resampling_weights
    >>> rng = np.random.default_rng(0)
    >>> absent = rng.normal(size=50)
    >>> detection = detect(absent + 2, absent, resampling_weights(50, 200, rng))
    >>> low, high = detection.area.interval()
    >>> detection.n, round(detection.area.value, 2), low < detection.area.value < high
    (50, 0.93, True)
    """
    if present.ndim != 1 or present.shape != absent.shape or weights.ndim != 2 or weights.shape[1] != len(present):
        raise TensorError(
            f"expected two rows of numbers of the same images and weights [draws, images], got {present.shape}, {absent.shape} and "
            f"{weights.shape}"
        )
    known = np.isfinite(present) & np.isfinite(absent)
    a, b = present[known], absent[known]
    w = np.concatenate([np.ones((1, len(a))), weights[:, known]])
    total = w.sum(1)
    wins = (a[:, None] > b) + 0.5 * (a[:, None] == b)
    return Detection(
        len(a), _estimate(((w @ wins) * w).sum(1), total**2, len(a)), _estimate(_above_threshold(a, b, w), total, len(a))
    )


def _above_threshold(a: Floats, b: Floats, w: Floats) -> Floats:
    """The weight of the numbers above the threshold of each resample."""
    if not len(b):
        return np.zeros(len(w))
    at = np.unique(b)
    above = w @ (b[:, None] > at)
    allowed = above <= FALSE_ALARMS * w.sum(1)[:, None]
    threshold = at[allowed.argmax(1)]
    return np.asarray((w * (a > threshold[:, None])).sum(1))


def _estimate(top: Floats, total: Floats, images: int) -> AssociationEstimate:
    values: Floats = np.divide(top, total, out=np.full_like(top, np.nan), where=total > 0)
    return AssociationEstimate(float(values[0]), values[1:] if images > 1 else np.full_like(values[1:], np.nan))
