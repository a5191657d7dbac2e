"""Calibration: how often the paired test calls two maps of pure chance different.

Random maps are drawn with several seeds and scored on the same images, s_ki for seed k and image i. A simulated pair resamples the
images with replacement and takes for each of them two different seeds at random,

    d_i = s_ki − s_li,    k ≠ l,    rate = share of the pairs whose sign-flip test has a randomised p < α,
                                    attained = share of the pairs whose sign-flip test has p < α

Two maps of chance are exchangeable on every image, so the rate is α if the images are independent. What is attained is lower where
the images are few or the scores coarse, since the p-value then has few possible values: 6 images have 1/32 and 1/16, so that the
test at .05 is one at .031. It calls nothing different that it should not, but misses differences. The simulation cannot see that
one seed is better than another on *all* images, which makes any comparison of two maps worthless, as where the random numbers of
a metric are those of the seed and not of the image. So there is a third number: the p value of the hypothesis that the seeds are
alike, by permutations of the seeds within images of

    T = Σ_k (s̄_k − s̄)²

Source: the sign-flip test is that of `paired.py`; the permutation test within blocks is Pitman's
("Significance tests which may be applied to samples from any populations: III", Biometrika 29, 1938).

Missing values: only images that all seeds have a score for count; the number of dropped images is returned.
"""

from dataclasses import dataclass

import numpy as np

from heatproof.core.errors import TensorError
from heatproof.stats.bootstrap import Floats
from heatproof.stats.multiplicity import ALPHA
from heatproof.stats.paired import randomised_ps, sign_flip_ps
from heatproof.stats.proportion import wilson


@dataclass(frozen=True)
class Calibration:
    """The `rate` at which two maps of chance are called different, with its interval [`low`, `high`] over `pairs` simulated pairs.

    `attained` is the rate of the test as it is used, which is lower where the images are few or the scores coarse. `seeds_alike` is
    the p value of the hypothesis that no seed is better than another on all images. All are NaN for fewer than two
    seeds or two images. `n` images counted and `dropped` did not.
    """

    rate: float
    low: float
    high: float
    attained: float
    seeds_alike: float
    pairs: int
    seeds: int
    n: int
    dropped: int


def calibrate(
    scores: Floats, rng: np.random.Generator, *, alpha: float = ALPHA, pairs: int = 2_000, permutations: int = 2_000
) -> Calibration:
    """The calibration of a metric, from the scores [seeds, images] of random maps.

    Args:
        scores: the score of the random map of each seed on each image, NaN where there is none.
        rng: draws the pairs and the permutations.
        alpha: the level of the paired test, which is what the rate should be.
        pairs: the number of simulated pairs.
        permutations: the number of random permutations behind `seeds_alike`.

    Raises:
        TensorError: The scores are not [seeds, images].

    >>> import numpy as np
    >>> from heatproof.stats import calibrate
    >>> rng = np.random.default_rng(0)
    >>> found = calibrate(rng.normal(size=(4, 12)), rng)
    >>> found.low < 0.05 < found.high, found.seeds_alike > 0.05
    (True, True)
    """
    if scores.ndim != 2:
        raise TensorError(f"expected scores [seeds, images], got shape {scores.shape}.")
    complete = scores[:, np.isfinite(scores).all(axis=0)]
    seeds, n = complete.shape
    dropped = scores.shape[1] - n
    if seeds < 2 or n < 2:
        unknown = float("nan")
        return Calibration(unknown, unknown, unknown, unknown, unknown, 0, seeds, n, dropped)
    images = rng.integers(0, n, size=(pairs, n))
    first = rng.integers(0, seeds, size=(pairs, n))
    second = (first + rng.integers(1, seeds, size=(pairs, n))) % seeds
    differences = complete[first, images] - complete[second, images]
    hits = int((randomised_ps(differences, rng) < alpha).sum())
    low, high = wilson(hits, pairs)
    attained = float((sign_flip_ps(differences, rng) < alpha).mean())
    return Calibration(hits / pairs, low, high, attained, _seeds_alike(complete, rng, permutations), pairs, seeds, n, dropped)


def _seeds_alike(scores: Floats, rng: np.random.Generator, permutations: int) -> float:
    """The p value of equal seeds, (1 + hits) / (1 + permutations), from scores [seeds, images]."""
    centred = scores - scores.mean(axis=0)  # the level of an image moves no seed
    scale = np.abs(centred).sum()
    observed = float((centred.sum(axis=1) ** 2).sum())
    seeds, n = scores.shape
    hits, chunk = 0, max(1, 2_000_000 // (seeds * n))
    for start in range(0, permutations, chunk):
        shuffled = rng.permuted(np.broadcast_to(centred, (min(chunk, permutations - start), seeds, n)), axis=1)
        hits += int(((shuffled.sum(axis=2) ** 2).sum(axis=1) >= observed - 1e-12 * scale**2).sum())
    return (1 + hits) / (1 + permutations)
