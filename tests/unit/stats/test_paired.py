from itertools import product

import numpy as np
import pytest
from scipy import stats

from heatproof.core.errors import TensorError
from heatproof.stats import compare, compare_each, resampling_weights, sign_flip_p, smallest_p

RNG = np.random.default_rng


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_the_exact_p_is_that_of_full_enumeration(n):
    differences = RNG(n).normal(0.4, 1, size=n)
    sums = [abs(sum(s * d for s, d in zip(signs, differences, strict=True))) for signs in product((-1, 1), repeat=n)]
    slow = np.mean([total >= abs(differences.sum()) - 1e-12 for total in sums])
    assert sign_flip_p(differences, RNG(0)) == pytest.approx(slow)


def test_equal_sums_in_another_order_count_as_equal():
    differences = np.array([0.1, 0.2, 0.3, -0.6, 0.7])
    slow = np.mean([abs(round(float(np.dot(signs, differences)), 9)) >= 0.7 for signs in product((-1, 1), repeat=5)])
    assert sign_flip_p(differences, RNG(0)) == slow


def test_the_drawn_p_agrees_with_scipy():
    differences = RNG(2).normal(0.35, 1, size=40)
    theirs = stats.permutation_test((differences, np.zeros(40)), lambda a, b, axis: (a - b).mean(axis=axis), vectorized=True,
                                    permutation_type="samples", n_resamples=20_000, rng=RNG(1))  # fmt: skip
    assert sign_flip_p(differences, RNG(0), draws=20_000) == pytest.approx(theirs.pvalue, abs=0.01)


def test_a_drawn_p_is_never_zero():
    assert sign_flip_p(np.ones(30), RNG(0), draws=999) == pytest.approx(0.001)
    assert smallest_p(30, draws=999) == 0.001


@pytest.mark.parametrize("n", [1, 2, 6, 12])
def test_unanimous_images_give_the_smallest_p(n):
    assert sign_flip_p(np.full(n, 0.3), RNG(0)) == smallest_p(n) == min(1, 2 / 2**n)


def test_no_difference_at_all_has_p_one_and_wins_half():
    result = compare(np.ones(6), np.ones(6), resampling_weights(6, 100, RNG(0)), RNG(1))
    assert (result.p, result.superiority, result.difference) == (1.0, 0.5, 0.0)


def test_p_is_uniform_when_methods_are_alike():
    generator = RNG(0)
    p = np.array([sign_flip_p(generator.normal(size=10), generator) for _ in range(600)])
    assert (p <= 0.05).mean() == pytest.approx(0.05, abs=0.03)


def test_swapping_the_methods_turns_every_sign_and_keeps_p():
    a, b = RNG(0).normal(size=(2, 11))
    weights = resampling_weights(11, 500, RNG(1))
    one, other = compare(a, b, weights, RNG(2), kind="percentile"), compare(b, a, weights, RNG(2), kind="percentile")
    assert one.p == other.p
    assert one.superiority == pytest.approx(1 - other.superiority)
    assert [one.difference, one.low, one.high] == pytest.approx([-other.difference, -other.high, -other.low])


def test_superiority_is_the_share_of_images_won_with_ties_halved():
    result = compare(np.array([2.0, 2.0, 2.0, 0.0]), np.array([1.0, 1.0, 2.0, 1.0]), resampling_weights(4, 50, RNG(0)), RNG(1))
    assert result.superiority == (2 + 0.5) / 4


def test_an_image_counts_only_where_both_have_a_score():
    a, b = np.array([1.0, np.nan, 3.0, 4.0]), np.array([0.0, 0.0, np.nan, 1.0])
    result = compare(a, b, resampling_weights(4, 200, RNG(0)), RNG(1))
    assert (result.n, result.dropped, result.difference, result.exact) == (2, 2, 2.0, True)
    assert result.p == 0.5


def test_nothing_in_common_gives_nan_and_says_so():
    result = compare(np.array([1.0, np.nan]), np.array([np.nan, 1.0]), resampling_weights(2, 50, RNG(0)), RNG(1))
    assert (result.n, result.dropped) == (0, 2)
    assert np.isnan([result.p, result.difference, result.superiority, result.spread]).all()


def test_rows_of_different_lengths_are_refused():
    with pytest.raises(TensorError, match="same images"):
        compare(np.ones(3), np.ones(4), resampling_weights(3, 10, RNG(0)), RNG(1))


def test_rows_that_are_compared_together_are_compared_as_each_alone():
    rng = np.random.default_rng(3)
    rows, b = rng.normal(size=(6, 40)) + np.arange(6)[:, None] / 8, rng.normal(size=40)
    rows[1, :3] = rows[4, 5:8] = np.nan  # as many differences as each other, at other places
    rows[5] = np.nan
    weights = resampling_weights(40, 200, rng)
    together = compare_each(rows, b, weights, lambda: np.random.default_rng(0), draws=500)
    alone = [compare(row, b, weights, np.random.default_rng(0), draws=500) for row in rows]
    assert [(each.n, each.p) for each in together[:5]] == [(each.n, each.p) for each in alone[:5]]
    np.testing.assert_allclose(
        [(e.low, e.high, e.spread) for e in together], [(e.low, e.high, e.spread) for e in alone], rtol=1e-12
    )
