import numpy as np
import pytest

from heatproof.core.errors import TensorError
from heatproof.core.records import Direction
from heatproof.stats import rank
from heatproof.stats.average_ranks import average_ranks

RNG = np.random.default_rng


def test_a_method_that_is_better_on_every_image_is_always_first():
    values = np.array([[3.0, 4, 5], [1, 2, 3], [5, 6, 7]])
    result = rank(values, Direction.LOWER, RNG(0), draws=200)
    assert result.first.tolist() == [0, 1, 0]
    assert result.expected.tolist() == result.within.tolist() == result.low.tolist() == result.high.tolist() == [2, 1, 3]


def test_higher_is_better_is_lower_is_better_of_the_negative():
    values = RNG(0).normal(size=(4, 10))
    lower, higher = rank(values, Direction.LOWER, RNG(1)), rank(-values, Direction.HIGHER, RNG(1))
    np.testing.assert_array_equal(lower.first, higher.first)
    np.testing.assert_array_equal(lower.within, higher.within)


def test_ties_share_their_ranks_and_the_first_place():
    result = rank(np.ones((3, 5)), Direction.LOWER, RNG(0), draws=50)
    np.testing.assert_allclose(result.first, 1 / 3)
    np.testing.assert_allclose(result.expected, 2)
    np.testing.assert_allclose(result.within, 2)


def test_probabilities_sum_to_one_and_ranks_to_their_total():
    result = rank(RNG(0).normal(size=(5, 12)), Direction.LOWER, RNG(1), draws=500)
    assert result.first.sum() == pytest.approx(1)
    assert result.expected.sum() == pytest.approx(15)


def test_the_probability_of_being_first_agrees_with_a_slow_loop():
    values, generator = RNG(0).normal(size=(3, 8)), RNG(9)
    wins = np.zeros(3)
    for _ in range(4000):
        wins[np.argmin(values[:, generator.integers(0, 8, size=8)].mean(axis=1))] += 1
    np.testing.assert_allclose(rank(values, Direction.LOWER, RNG(1), draws=20_000).first, wins / 4000, atol=0.03)


def test_images_without_every_score_are_dropped_and_methods_without_any_are_not_ranked():
    values = np.array([[1.0, 2, 3, np.nan], [2, 3, 4, 5], [np.nan] * 4])
    result = rank(values, Direction.LOWER, RNG(0), draws=50)
    assert (result.n, result.dropped) == (3, 1)
    np.testing.assert_array_equal(result.first, [1, 0, np.nan])


def test_no_image_in_common_ranks_nothing():
    result = rank(np.array([[1.0, np.nan], [np.nan, 1.0]]), Direction.LOWER, RNG(0))
    assert (result.n, result.dropped) == (0, 2)
    assert np.isnan(result.expected).all()


def test_one_row_is_refused():
    with pytest.raises(TensorError, match="methods, images"):
        rank(np.ones(3), Direction.LOWER, RNG(0))


@pytest.mark.parametrize("shape", [(1,), (1, 1), (40, 6), (3, 5, 7), (2, 0)])
def test_average_ranks_are_those_of_scipy(shape):
    from scipy.stats import rankdata

    values = RNG(0).integers(0, 4, shape) / 3
    np.testing.assert_array_equal(average_ranks(values), rankdata(values, axis=-1))
