"""Student's interval and test of few values."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from heatproof.core.errors import TensorError
from heatproof.stats import student


@pytest.mark.parametrize("n", [2, 3, 12])
def test_interval_and_p_are_those_of_the_t_test(n):
    values = np.random.default_rng(n).normal(0.4, 1, n)
    found, expected = student(values, level=0.9), ttest_1samp(values, 0)
    interval = expected.confidence_interval(0.9)
    assert (found.low, found.high, found.p) == pytest.approx((interval.low, interval.high, expected.pvalue))
    assert (found.n, found.mean) == (n, pytest.approx(values.mean()))


def test_equal_values_have_an_interval_of_no_length_and_one_value_has_none():
    assert student(np.full(3, 0.1)).p == 0
    assert student(np.zeros(3)).p == 1
    found = student(np.full(3, 0.1))
    assert found.low == found.high == found.mean
    assert np.isnan([student(np.ones(1)).low, student(np.ones(1)).p]).all()


@pytest.mark.parametrize("values", [np.array([]), np.array([1.0, np.nan]), np.ones((2, 2))])
def test_what_is_no_row_of_numbers_is_refused(values):
    with pytest.raises(TensorError, match="expected a row of finite values"):
        student(values)
