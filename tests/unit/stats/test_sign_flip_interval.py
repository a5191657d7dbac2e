"""The interval that inverts the sign-flip test."""

import numpy as np
import pytest

from heatproof.core.errors import TensorError
from heatproof.stats import sign_flip_interval, sign_flip_ps


def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("n", [5, 6, 9, 14, 20, 40])
@pytest.mark.parametrize("alpha", [0.05, 0.002])
def test_a_mean_is_in_the_interval_if_and_only_if_the_test_does_not_reject_it(n, alpha):
    values = np.random.default_rng(n).normal(size=n) ** 3
    low, high = sign_flip_interval(values, rng(), alpha=alpha, draws=2_000)
    for mean in (*np.linspace(-8, 8, 33), low - 1e-6, low + 1e-6, high - 1e-6, high + 1e-6):
        if np.isfinite(mean):
            rejected = sign_flip_ps((values - mean)[None], rng(), draws=2_000)[0] < alpha
            assert rejected == (not low <= mean <= high), mean


def test_it_moves_and_grows_with_the_values():
    values = np.random.default_rng(1).normal(size=12)
    low, high = sign_flip_interval(values, rng(), alpha=0.05)
    assert low < values.mean() < high
    assert sign_flip_interval(3 * values - 7, rng(), alpha=0.05) == pytest.approx((3 * low - 7, 3 * high - 7))


def test_values_that_are_no_row_are_refused():
    with pytest.raises(TensorError, match="one number for each image"):
        sign_flip_interval(np.zeros((2, 3)), rng(), alpha=0.05)
