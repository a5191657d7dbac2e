"""Reliability of methods' means, and agreement of images about their order, where the truth is known."""

import numpy as np
import pytest

from heatproof.core.errors import TensorError
from heatproof.stats import kendall_w, krippendorff_alpha, raters_needed, resampling_weights, split_half

RNG = np.random.default_rng


def scores(seed, m=6, n=10, noise=1.0):
    """Methods that differ with variance 1, under noise; the reliability of their means is 1 / (1 + noise² / n)."""
    rng = RNG(seed)
    return rng.normal(size=(m, 1)) + noise * rng.normal(size=(m, n))


def test_split_half_estimates_the_share_of_variance_between_methods():
    wide = scores(0, m=4000, n=10, noise=2.0)
    assert split_half(wide, RNG(0), splits=20).value == pytest.approx(1 / 1.4, abs=0.02)


def test_it_is_cronbachs_alpha():
    """α = n / (n − 1) (1 − Σ var of one rater / var of the sum), for raters of roughly equal variance."""
    values = scores(3, m=40, n=12)
    alpha = 12 / 11 * (1 - values.var(axis=0, ddof=1).sum() / values.sum(axis=1).var(ddof=1))
    assert split_half(values, RNG(0), splits=2000).value == pytest.approx(alpha, abs=0.01)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    truth = 1 / (1 + 1 / 10)
    ends = [(found.low, found.high) for found in (split_half(scores(seed), RNG(0), splits=20) for seed in range(300))]
    assert np.mean([low <= truth <= high for low, high in ends]) == pytest.approx(0.95, abs=0.04)


def test_pure_noise_has_no_reliability_and_perfect_order_has_all():
    assert split_half(scores(1, m=300, noise=1e3), RNG(0), splits=50).value < 0.3
    assert split_half(np.repeat(np.arange(4.0)[:, None], 6, axis=1), RNG(0)).value == pytest.approx(1)


def test_what_cannot_be_said_is_nan():
    for values in (np.ones((4, 6)), scores(0, m=2), scores(0, n=1)):
        assert np.isnan(split_half(values, RNG(0)).value)
    missing = scores(0)
    missing[2, 3] = np.nan
    assert (split_half(missing, RNG(0)).n, split_half(missing, RNG(0)).dropped) == (9, 1)
    with pytest.raises(TensorError, match="methods, raters"):
        split_half(np.ones(4), RNG(0))


def test_raters_needed_turns_spearman_brown_round():
    for reliability, n in ((0.3, 8), (0.66, 40), (0.9, 12)):
        needed = raters_needed(reliability, n)
        assert needed == 2 or needed * reliability / (n + (needed - n) * reliability) >= 0.8 - 1e-9
        assert (needed - 1) * reliability / (n + (needed - 1 - n) * reliability) < 0.8 or needed == 2
    assert raters_needed(0.0, 9) == float("inf")
    assert np.isnan(raters_needed(float("nan"), 9))


def test_krippendorffs_alpha_follows_from_kendalls_w_without_ties():
    values, weights = RNG(1).normal(size=(5, 9)), resampling_weights(9, 50, RNG(0))
    expected = 1 - (5 * 9 - 1) * (1 - kendall_w(values).w) / (5 * (9 - 1))
    assert krippendorff_alpha(values, weights).alpha == pytest.approx(expected)


def test_krippendorffs_alpha_by_its_definition_with_ties():
    from scipy.stats import rankdata

    values = RNG(2).normal(size=(4, 6)).round()
    ranks = rankdata(values, axis=0)
    within = [(ranks[j, i] - ranks[j, k]) ** 2 for j in range(4) for i in range(6) for k in range(6) if i != k]
    flat = ranks.ravel()
    overall = [(a - b) ** 2 for x, a in enumerate(flat) for y, b in enumerate(flat) if x != y]
    found = krippendorff_alpha(values, resampling_weights(6, 50, RNG(0)))
    assert found.alpha == pytest.approx(1 - np.mean(within) / np.mean(overall))


def test_the_interval_of_alpha_does_not_count_an_image_with_itself():
    """Pairs of an image with its own copy agree fully, and would lift every resample."""
    values, weights = RNG(5).normal(size=(6, 8)), resampling_weights(8, 400, RNG(0))
    found = krippendorff_alpha(values, weights)
    assert found.low < found.alpha < found.high
    assert found.high < 0.35


def test_alpha_of_too_little_is_nan_and_missing_images_are_counted():
    weights = resampling_weights(3, 10, RNG(0))
    assert np.isnan(krippendorff_alpha(np.ones((1, 3)), weights).alpha)
    values = RNG(0).normal(size=(4, 3))
    values[0, 0] = np.nan
    assert (krippendorff_alpha(values, weights).n, krippendorff_alpha(values, weights).dropped) == (2, 1)
    with pytest.raises(TensorError, match="weights"):
        krippendorff_alpha(values, weights[:, :2])
