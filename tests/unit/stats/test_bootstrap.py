import numpy as np
import pytest
from scipy import stats

from heatproof.core.errors import SettingsError, TensorError
from heatproof.stats import mean_interval, resampled_means, resampling_weights

RNG = np.random.default_rng
KINDS = ("percentile", "expanded", "bca")


def test_every_resample_draws_as_many_images_as_there_are():
    assert (resampling_weights(7, 50, RNG(0)).sum(axis=1) == 7).all()


def test_resampled_means_are_the_means_of_the_drawn_images():
    values, weights = RNG(0).normal(size=(2, 5)), resampling_weights(5, 20, RNG(1))
    for row, means in zip(values, resampled_means(values, weights), strict=True):
        slow = [np.repeat(row, draw.astype(int)).mean() for draw in weights]
        np.testing.assert_allclose(means, slow)


@pytest.mark.parametrize(("kind", "theirs"), [("percentile", "percentile"), ("bca", "BCa")])
def test_the_interval_agrees_with_scipy(kind, theirs):
    values = RNG(3).lognormal(size=40)
    ours = mean_interval(values, resampling_weights(40, 40_000, RNG(0)), kind=kind)
    other = stats.bootstrap((values,), np.mean, n_resamples=40_000, method=theirs, rng=RNG(1)).confidence_interval
    assert float(ours.low) == pytest.approx(other.low, rel=0.01)
    assert float(ours.high) == pytest.approx(other.high, rel=0.01)


def test_the_expanded_interval_covers_the_mean_of_few_normal_scores_as_often_as_it_says():
    values = RNG(5).normal(size=(800, 8))
    interval = mean_interval(values, resampling_weights(8, 2000, RNG(0)), kind="expanded")
    covered = ((interval.low <= 0) & (interval.high >= 0)).mean()
    assert 0.92 < covered < 0.975


@pytest.mark.parametrize("kind", KINDS)
def test_the_interval_moves_and_stretches_with_the_scores(kind):
    values, weights = RNG(0).normal(size=12), resampling_weights(12, 500, RNG(1))
    plain, moved = (mean_interval(scores, weights, kind=kind) for scores in (values, 3 * values + 5))
    np.testing.assert_allclose([moved.low, moved.high], [3 * plain.low + 5, 3 * plain.high + 5])


@pytest.mark.parametrize("kind", KINDS)
def test_rows_do_not_depend_on_each_other(kind):
    values, weights = RNG(0).normal(size=(3, 9)), resampling_weights(9, 300, RNG(1))
    together = mean_interval(values, weights, kind=kind)
    alone = [mean_interval(row, weights, kind=kind) for row in values]
    np.testing.assert_allclose(together.low, [row.low for row in alone])


@pytest.mark.parametrize("kind", KINDS)
def test_equal_scores_give_an_interval_of_no_width(kind):
    interval = mean_interval(np.full(6, 2.5), resampling_weights(6, 100, RNG(0)), kind=kind)
    assert (float(interval.low), float(interval.mean), float(interval.high)) == (2.5, 2.5, 2.5)


def test_missing_scores_are_left_out_and_counted():
    values = np.array([[1.0, np.nan, 3.0, np.nan], [1.0, 2.0, 3.0, 4.0]])
    interval = mean_interval(values, resampling_weights(4, 400, RNG(0)))
    assert interval.n.tolist() == [2, 4]
    assert interval.dropped.tolist() == [2, 0]
    assert interval.mean.tolist() == [2.0, 2.5]
    assert np.isfinite(interval.low).all()


@pytest.mark.parametrize(("values", "mean"), [([np.nan, np.nan], np.nan), ([5.0, np.nan], 5.0)])
def test_fewer_than_two_scores_have_no_interval(values, mean):
    interval = mean_interval(np.array(values), resampling_weights(2, 50, RNG(0)))
    np.testing.assert_equal([interval.mean, interval.low, interval.high], [mean, np.nan, np.nan])


def test_impossible_settings_are_refused():
    weights = resampling_weights(3, 10, RNG(0))
    with pytest.raises(SettingsError, match="between 0 and 1"):
        mean_interval(np.ones(3), weights, level=95)
    with pytest.raises(SettingsError, match="percentile, expanded or bca"):
        mean_interval(np.ones(3), weights, kind="studentised")
    with pytest.raises(SettingsError, match="at least one image"):
        resampling_weights(0, 10, RNG(0))
    with pytest.raises(TensorError, match="same images"):
        mean_interval(np.ones(4), weights)


def test_an_interval_without_weights_is_repeatable_and_reads_as_a_sentence():
    scores = [1.0, 2.0, 3.0, 4.0]
    assert str(mean_interval(scores)) == str(mean_interval(scores))
    assert str(mean_interval(scores)).startswith("2.5 [")
    assert str(mean_interval(scores)).endswith("], n = 4")
