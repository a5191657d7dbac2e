"""Student's interval and test of few values."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from heatproof.core.errors import SettingsError, TensorError
from heatproof.stats import student


@pytest.mark.parametrize("n", [2, 3, 12])
def test_interval_and_p_are_those_of_the_t_test(n):
    values = np.random.default_rng(n).normal(0.4, 1, n)
    found, expected = student(values, bounds=None, level=0.9), ttest_1samp(values, 0)
    interval = expected.confidence_interval(0.9)
    assert (found.low, found.high, found.p) == pytest.approx((interval.low, interval.high, expected.pvalue))
    assert (found.n, found.mean) == (n, pytest.approx(values.mean()))


def test_equal_values_have_an_interval_of_no_length_and_one_value_has_none():
    assert student(np.full(3, 0.1), bounds=None).p == 0
    assert student(np.zeros(3), bounds=None).p == 1
    found = student(np.full(3, 0.1), bounds=None)
    assert found.low == found.high == found.mean
    assert np.isnan([student(np.ones(1), bounds=None).low, student(np.ones(1), bounds=None).p]).all()


@pytest.mark.parametrize("values", [np.array([]), np.array([1.0, np.nan]), np.ones((2, 2))])
def test_what_is_no_row_of_numbers_is_refused(values):
    with pytest.raises(TensorError, match="expected a row of finite values"):
        student(values, bounds=None)


@pytest.mark.parametrize("bounds", [(0, 1), (-1, 1), (10, 30)])
@pytest.mark.parametrize("n", [2, 3, 30])
def test_the_interval_of_bounded_values_lies_within_their_bounds_and_has_their_mean(bounds, n):
    rng = np.random.default_rng(n)
    for shares in (rng.random(n), rng.random(n) ** 12, 1 - rng.random(n) ** 12, np.arange(n) == 0, np.arange(n) / (n - 1)):
        found = student(bounds[0] + (bounds[1] - bounds[0]) * shares, bounds=bounds)
        assert bounds[0] <= found.low < found.mean < found.high <= bounds[1]
        assert 0 <= found.p <= 1


def test_bounds_that_are_far_away_change_nothing():
    values = np.array([0.5, -0.25, 1.0])
    near, free = student(values, bounds=(-1e6, 1e6)), student(values, bounds=None)
    assert (near.low, near.high, near.p) == pytest.approx((free.low, free.high, free.p), rel=1e-5)


def test_the_interval_of_bounded_differences_has_zero_if_and_only_if_p_is_not_significant():
    for values in np.random.default_rng(0).uniform(-0.4, 1, (400, 3)):
        found = student(values, bounds=(-1, 1))
        assert (found.low <= 0 <= found.high) == (found.p >= 0.05)


def test_values_at_a_bound_have_an_interval_of_no_length_and_of_bounds_that_are_zero_there_is_no_doubt():
    ones, zeros = student(np.ones(3), bounds=(0, 1)), student(np.zeros(3), bounds=(0, 1))
    assert (ones.low, ones.high, ones.p, zeros.low, zeros.high, zeros.p) == (1, 1, 0, 0, 0, 1)
    assert student(np.array([0.0, 0.0, 0.01]), bounds=(0, 1)).p == 0
    assert student(np.array([1.0, 1 + 1e-15]), bounds=(0, 1)).high == 1  # a mean of shares, to the last bit


@pytest.mark.parametrize(("mean", "total"), [(0.5, 20), (0.9, 20), (0.97, 20), (0.9, 5)])
def test_three_values_near_a_bound_are_covered_as_the_level_says_and_more_often_than_by_students_interval(mean, total):
    drawn = np.random.default_rng(1).beta(mean * total, (1 - mean) * total, (4_000, 3))

    def coverage(bounds):
        found = [student(values, bounds=bounds) for values in drawn]
        return np.mean([each.low <= mean <= each.high for each in found])

    within, free = coverage((0, 1)), coverage(None)
    assert within >= free - 0.005
    assert 0.925 <= within <= 0.965


@pytest.mark.parametrize("bounds", [(1, 0), (0, np.inf), (0, np.nan), (2, 2)])
def test_what_are_no_bounds_is_refused_and_what_lies_beyond_them(bounds):
    with pytest.raises(SettingsError, match="expected two finite numbers in ascending order"):
        student(np.ones(3), bounds=bounds)
    with pytest.raises(TensorError, match="expected values within 0 and 1"):
        student(np.array([0.5, 1.2]), bounds=(0, 1))
