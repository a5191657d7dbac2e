import numpy as np
import pytest
from scipy import stats

from heatproof.core.errors import TensorError
from heatproof.stats import error_sources


def test_the_sampling_error_is_the_standard_error_of_the_mean():
    values = np.random.default_rng(0).normal(size=20)
    assert error_sources(values, np.full(20, np.nan)).sampling == pytest.approx(stats.sem(values))


def test_the_monte_carlo_error_of_a_mean_falls_with_the_square_root_of_the_images():
    assert error_sources(np.arange(16.0), np.full(16, 0.8)).monte_carlo == pytest.approx(0.8 / 4)


def test_the_share_is_one_when_all_spread_comes_from_the_draws():
    generator = np.random.default_rng(0)
    shares = [error_sources(generator.normal(5, 0.3, size=400), np.full(400, 0.3)).share for _ in range(50)]
    assert np.mean(shares) == pytest.approx(1, abs=0.03)


def test_nothing_sampled_has_no_monte_carlo_error():
    sources = error_sources(np.arange(5.0), np.full(5, np.nan))
    assert np.isnan([sources.monte_carlo, sources.share]).all()


def test_an_image_without_an_error_counts_as_unsampled_among_others():
    assert error_sources(np.arange(4.0), np.array([0.4, np.nan, np.nan, np.nan])).monte_carlo == pytest.approx(0.1)


def test_images_without_a_score_are_dropped():
    sources = error_sources(np.array([1.0, np.nan, 3.0]), np.array([0.1, 9.0, 0.1]))
    assert sources.n == 2
    assert sources.monte_carlo == pytest.approx(np.sqrt(0.02) / 2)


def test_one_image_has_no_sampling_error():
    assert np.isnan(error_sources(np.array([1.0]), np.array([0.1])).sampling)


def test_rows_of_different_lengths_are_refused():
    with pytest.raises(TensorError, match="errors"):
        error_sources(np.ones(2), np.ones(3))
