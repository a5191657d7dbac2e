"""Two numbers of the same images at the same levels: against scipy, with weights as repetitions, and Simpson's trap."""

import numpy as np
import pytest
from scipy.stats import kendalltau, linregress, pearsonr, spearmanr

from heatproof.core.errors import TensorError
from heatproof.stats import relate, resampling_weights

RNG = np.random.default_rng(0)
X = np.clip(RNG.normal(0.4, 0.2, (12, 5)), -1, 1)
Y = 2 / np.pi * np.arcsin(X) + 0.1 + RNG.normal(0, 0.05, X.shape)


def test_pooled_statistics_are_those_of_scipy() -> None:
    found = relate(X, Y, resampling_weights(12, 10, RNG)).statistics
    x, y = X.ravel(), Y.ravel()
    line = linregress(x, y)
    expected = {
        "pearson": pearsonr(x, y).statistic,
        "spearman": spearmanr(x, y).statistic,
        "kendall": kendalltau(x, y).statistic,
        "slope": line.slope,
        "r squared": line.rvalue**2,
        "residual": np.mean(y - 2 / np.pi * np.arcsin(x)),
    }
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value, abs=1e-12), name


def test_within_is_the_mean_over_levels() -> None:
    found = relate(X, Y, resampling_weights(12, 10, RNG)).statistics
    assert found["spearman within"].value == pytest.approx(np.mean([spearmanr(X[:, i], Y[:, i]).statistic for i in range(5)]))


def test_a_weight_is_a_repetition() -> None:
    weights = resampling_weights(12, 20, RNG)
    found = relate(X, Y, weights).statistics
    for draw, w in enumerate(weights.astype(int)):
        x, y = np.repeat(X, w, axis=0).ravel(), np.repeat(Y, w, axis=0).ravel()
        assert found["pearson"].draws[draw] == pytest.approx(pearsonr(x, y).statistic, abs=1e-12)
        assert found["spearman"].draws[draw] == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)


def test_levels_can_make_a_line_of_clouds_that_say_nothing() -> None:
    level = np.linspace(0, 1, 8)
    x, y = (level + RNG.normal(0, 0.02, (200, 8)) for _ in range(2))
    found = relate(x, y, resampling_weights(200, 200, RNG)).statistics
    assert found["pearson"].value > 0.99
    low, high = found["pearson within"].interval()
    assert low < 0 < high


def test_intervals_cover_as_often_as_they_say() -> None:
    """Of 300 experiments with a correlation of .6 within every level, 95 % intervals hold it about as often; the mean of 4
    levels of 30 images.
    """
    hits, rng = 0, np.random.default_rng(1)
    for _ in range(300):
        x = rng.normal(size=(30, 4))
        y = 0.6 * x + 0.8 * rng.normal(size=x.shape)
        low, high = relate(x, y, resampling_weights(30, 300, rng)).statistics["pearson within"].interval()
        hits += low <= 0.6 <= high
    assert 0.88 < hits / 300 < 0.98


def test_points_without_a_number_are_left_out_and_counted() -> None:
    broken = X.copy()
    broken[3, 2], broken[:, 4] = np.nan, np.nan
    found = relate(broken, Y, resampling_weights(12, 10, RNG))
    assert (found.n, found.dropped) == (12, 13)
    x, y = (np.delete(table[:, :4].ravel(), 3 * 4 + 2) for table in (X, Y))
    for name, expected in (("pearson", pearsonr), ("spearman", spearmanr), ("kendall", kendalltau)):
        assert found.statistics[name].value == pytest.approx(expected(x, y).statistic, abs=1e-12), name
    levels = [pearsonr(np.delete(X[:, i], [3] if i == 2 else []), np.delete(Y[:, i], [3] if i == 2 else [])) for i in range(4)]
    assert found.statistics["pearson within"].value == pytest.approx(np.mean([level.statistic for level in levels]))


def test_differences_are_paired_and_constants_have_no_relation() -> None:
    weights = resampling_weights(12, 50, RNG)
    found = relate(X, Y, weights).statistics["pearson"]
    assert (found - found).interval() == (0, 0)
    constant = relate(np.ones_like(X), Y, weights).statistics["pearson"]
    assert np.isnan(constant.value)
    assert np.isnan(constant.interval()).all()
    with pytest.raises(TensorError, match="images, levels"):
        relate(X, Y[:5], weights)
