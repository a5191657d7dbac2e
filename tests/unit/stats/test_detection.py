import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heatproof.core.errors import TensorError
from heatproof.stats import detect, resampling_weights

NUMBERS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=8)


@settings(max_examples=30)
@given(NUMBERS)
def test_the_area_counts_pairs_and_the_rate_allows_no_more_false_alarms_than_it_says(pairs):
    a, b = np.array(pairs, dtype=float).T
    found = detect(a, b, np.ones((1, len(a))))
    wins = [float(x > y) + 0.5 * float(x == y) for x in a for y in b]
    assert found.area.value == pytest.approx(sum(wins) / len(wins))
    thresholds = [t for t in b if np.mean(b > t) <= 0.05]
    assert found.rate.value == pytest.approx(np.mean(a > min(thresholds)))
    assert found.area.draws == pytest.approx(found.area.value)  # a resample of each image once
    assert detect(b, a, np.ones((1, len(a)))).area.value == pytest.approx(1 - found.area.value)


def test_a_resample_is_the_images_repeated():
    rng = np.random.default_rng(0)
    a, b = rng.normal(1, 1, 12), rng.normal(size=12)
    weights = resampling_weights(12, 5, rng)
    found = detect(a, b, weights)
    for draw, w in enumerate(weights.astype(int)):
        again = detect(np.repeat(a, w), np.repeat(b, w), np.ones((1, 12)))
        assert (found.area.draws[draw], found.rate.draws[draw]) == pytest.approx((again.area.value, again.rate.value))


def test_the_interval_of_the_area_covers_it_in_most_samples():
    rng, truth, n = np.random.default_rng(1), 0.7602, 40  # Φ(1/√2) for a shift of one standard deviation
    covered = 0
    for _ in range(100):
        low, high = detect(rng.normal(1, 1, n), rng.normal(size=n), resampling_weights(n, 200, rng)).area.interval()
        covered += low <= truth <= high
    assert 88 <= covered <= 99


def test_an_image_without_a_number_is_left_out_and_none_at_all_is_nan():
    a, b, nan = np.array([3.0, np.nan, 2.0]), np.array([1.0, 0.0, np.nan]), np.full(3, np.nan)
    found = detect(a, b, np.ones((2, 3)))
    assert (found.n, found.area.value, found.rate.value) == (1, 1.0, 1.0)
    assert np.isnan(detect(nan, b, np.ones((2, 3))).area.value)


def test_numbers_of_other_images_are_refused():
    with pytest.raises(TensorError, match="two rows of numbers of the same images"):
        detect(np.zeros(3), np.zeros(4), np.ones((2, 3)))
