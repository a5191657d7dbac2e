"""Calibration of a metric on random maps, from simulated scores whose truth is known."""

import numpy as np
import pytest

from heatproof.core.errors import TensorError
from heatproof.stats import calibrate, randomised_ps, sign_flip_p, sign_flip_ps, wilson

RNG = np.random.default_rng


@pytest.mark.parametrize(("draw", "n"), [("normal", 40), ("lognormal", 12), ("standard_cauchy", 20)])
def test_random_maps_of_independent_images_are_called_different_at_the_level_of_the_test(draw, n):
    scores = getattr(RNG(1), draw)(size=(4, n))
    found = calibrate(scores, RNG(0))
    assert (found.pairs, found.seeds, found.n) == (2_000, 4, n)
    assert found.low <= found.rate <= found.high
    assert found.rate == pytest.approx(0.05, abs=0.02)


def test_images_of_very_different_levels_do_not_matter():
    """The test is paired."""
    assert calibrate(RNG(1).normal(size=(3, 20)) + 1e6 * RNG(2).normal(size=20), RNG(0)).rate == pytest.approx(0.05, abs=0.02)


def test_a_seed_that_is_better_on_all_images_is_noticed_and_alike_seeds_are_not():
    alike = RNG(1).normal(size=(4, 20))
    one_better = alike + np.array([2.0, 0, 0, 0])[:, None]
    assert calibrate(one_better, RNG(0)).seeds_alike < 0.01
    p = [calibrate(RNG(seed).normal(size=(3, 8)), RNG(0), pairs=1, permutations=99).seeds_alike for seed in range(200)]
    assert np.mean(np.array(p) < 0.1) == pytest.approx(0.1, abs=0.06)


@pytest.mark.parametrize("n", [5, 6, 9])
def test_few_images_are_calibrated_although_the_test_attains_less(n):
    """n images attain the largest multiple of 2 / 2ⁿ below .05."""
    found = calibrate(RNG(1).normal(size=(8, n)), RNG(0))
    assert found.rate == pytest.approx(0.05, abs=0.015)
    unit = 2 / 2**n
    assert found.attained == pytest.approx(np.floor(0.05 / unit) * unit, abs=0.015)


def test_equal_scores_call_nothing_different():
    constant = calibrate(np.ones((4, 20)), RNG(0))
    assert (constant.attained, constant.seeds_alike) == (0, 1)


@pytest.mark.parametrize("n", [4, 9, 20])
@pytest.mark.parametrize("decimals", [0, 8])
def test_a_randomised_p_value_is_uniform_where_nothing_differs(n, decimals):
    p = randomised_ps(RNG(1).normal(size=(4000, n)).round(decimals), RNG(0), draws=200)
    for share in (0.01, 0.05, 0.3, 0.9):
        assert (p < share).mean() == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 4000))


def test_a_randomised_p_value_is_the_last_step_of_the_p_value():
    rows = RNG(1).normal(size=(50, 7))
    p, chosen = sign_flip_ps(rows, RNG(0)), randomised_ps(rows, RNG(0))
    assert ((chosen <= p) & (chosen >= p - 2 / 2**7)).all()
    assert np.isnan(randomised_ps(np.ones((2, 0)), RNG(0))).all()


def test_one_seed_or_one_image_shows_nothing_and_missing_scores_are_counted():
    assert np.isnan(calibrate(np.ones((1, 9)), RNG(0)).rate)
    assert np.isnan(calibrate(np.ones((3, 1)), RNG(0)).seeds_alike)
    scores = RNG(1).normal(size=(3, 9))
    scores[1, 4] = np.nan
    found = calibrate(scores, RNG(0), pairs=10)
    assert (found.n, found.dropped) == (8, 1)
    with pytest.raises(TensorError, match="expected scores"):
        calibrate(np.ones(4), RNG(0))


@pytest.mark.parametrize("n", [3, 9])
def test_many_tests_at_once_are_the_tests_one_by_one(n):
    rows = RNG(1).normal(size=(20, n)).round(1)
    assert sign_flip_ps(rows, RNG(0)).tolist() == [sign_flip_p(row, RNG(0)) for row in rows]


def test_many_tests_with_drawn_signs_come_near_those_one_by_one():
    rows = RNG(1).normal(size=(20, 30)) + 0.3
    assert sign_flip_ps(rows, RNG(0)) == pytest.approx([sign_flip_p(row, RNG(2)) for row in rows], abs=0.06)
    assert np.isnan(sign_flip_ps(np.ones((2, 0)), RNG(0))).all()


def test_wilson_holds_the_share_and_stays_between_0_and_1():
    assert wilson(0, 10)[0] == 0
    assert wilson(10, 10)[1] == 1
    low, high = wilson(3, 10)
    for end in (low, high):  # the ends solve |p̂ − p| = z √(p (1 − p) / n)
        assert abs(0.3 - end) == pytest.approx(1.959964 * np.sqrt(end * (1 - end) / 10), rel=1e-5)
    assert np.isnan(wilson(0, 0)).all()


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilsons_intervals_are_the_published_ones(hits, n, low, high):
    """Newcombe, Statistics in Medicine 17, 1998, table I, the score method without continuity correction."""
    assert wilson(hits, n) == pytest.approx((low, high), abs=5e-5)
