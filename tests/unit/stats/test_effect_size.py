"""Effect sizes, the images that they need, and the agreement of metrics."""

import numpy as np
import pytest
from scipy import stats

from heatproof.core.errors import TensorError
from heatproof.core.records import Direction
from heatproof.stats import effect_size, images_needed, kendall_matrix, resampling_weights

RNG = np.random.default_rng


def test_d_is_the_mean_over_the_spread_and_the_images_follow_from_it():
    a, b = RNG(0).normal(size=(2, 15))
    found, gap = effect_size(a + 1, b), a + 1 - b
    assert found.d == pytest.approx(gap.mean() / gap.std(ddof=1))
    assert found.images == images_needed(gap.mean(), gap.std(ddof=1))
    assert effect_size(b, a + 1).d == pytest.approx(-found.d)


def test_the_ends_of_the_interval_have_the_observed_t_at_their_tails():
    found = effect_size(RNG(1).normal(size=12) + 0.8, np.zeros(12))
    t = np.sqrt(12) * found.d
    assert stats.nct.cdf(t, 11, np.sqrt(12) * found.low) == pytest.approx(0.975, abs=1e-4)
    assert stats.nct.cdf(t, 11, np.sqrt(12) * found.high) == pytest.approx(0.025, abs=1e-4)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    draws = RNG(2).normal(size=(400, 10)) + 0.7
    held = [found.low <= 0.7 <= found.high for found in (effect_size(row, np.zeros(10)) for row in draws)]
    assert np.mean(held) == pytest.approx(0.95, abs=0.03)


def test_the_images_range_from_the_largest_to_the_smallest_size_and_no_difference_needs_all():
    sure, unsure = effect_size(RNG(3).normal(size=40) + 1, np.zeros(40)), effect_size(RNG(3).normal(size=8), np.zeros(8))
    assert sure.images_low < sure.images < sure.images_high < 50
    assert unsure.images_high == float("inf")
    none = effect_size(np.ones(5), np.ones(5))
    assert (none.d, none.images) == (0, float("inf"))
    assert effect_size(np.full(5, 2.0), np.ones(5)).d == float("inf")
    assert np.isnan(effect_size(np.ones(1), np.zeros(1)).d)
    with pytest.raises(TensorError, match="two rows"):
        effect_size(np.ones(3), np.ones(2))


def test_metrics_agree_as_kendalls_tau_of_their_means_says():
    scores = RNG(4).normal(size=(2, 6, 9))
    found = kendall_matrix(scores, [Direction.HIGHER, Direction.LOWER], resampling_weights(9, 200, RNG(0)))
    expected = stats.kendalltau(scores[0].mean(1), -scores[1].mean(1)).statistic
    assert found.tau == pytest.approx(np.array([[1, expected], [expected, 1]]))
    assert (found.low <= found.tau + 1e-12).all()
    assert (found.tau <= found.high + 1e-12).all()


def test_a_method_without_a_score_is_in_no_pair():
    scores = np.repeat(np.arange(4.0)[None, :, None], 2, axis=0) + np.zeros((2, 4, 3))
    scores[1, 0] = np.nan
    scores[1, 1:] = -scores[1, 1:]
    weights = resampling_weights(3, 20, RNG(0))
    assert kendall_matrix(scores, [Direction.HIGHER] * 2, weights).tau[0, 1] == -1
    assert np.isnan(kendall_matrix(scores[:, :1], [Direction.HIGHER] * 2, weights).tau[0, 1])
    with pytest.raises(TensorError, match="directions"):
        kendall_matrix(scores, [Direction.HIGHER], weights)
