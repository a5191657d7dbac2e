import numpy as np
import pytest
from scipy import stats

from heatproof.core.errors import TensorError
from heatproof.core.records import Direction
from heatproof.stats import kendall_w, spearman_matrix

RNG = np.random.default_rng


def test_images_that_rank_alike_agree_fully():
    assert kendall_w(np.array([[1.0, 10, 5], [2, 20, 6], [3, 30, 7]])).w == pytest.approx(1)


def test_two_opposite_images_agree_on_nothing():
    assert kendall_w(np.array([[1.0, 3], [2, 2], [3, 1]])).w == pytest.approx(0)


@pytest.mark.parametrize("ties", [False, True])
def test_w_is_the_friedman_statistic_over_its_maximum(ties):
    values = RNG(0).normal(size=(5, 9))
    values = np.round(values) if ties else values
    friedman = stats.friedmanchisquare(*values).statistic
    assert kendall_w(values).w == pytest.approx(friedman / (9 * (5 - 1)))


def test_random_judges_have_w_of_one_over_n():
    generator = RNG(1)
    assert np.mean([kendall_w(generator.normal(size=(6, 8))).w for _ in range(400)]) == pytest.approx(1 / 8, abs=0.01)


def test_images_without_every_score_are_dropped_and_counted():
    result = kendall_w(np.array([[1.0, 2, np.nan], [3, 4, 5], [np.nan] * 3]))
    assert (result.n, result.m, result.dropped) == (2, 2, 1)
    assert result.w == pytest.approx(1)


@pytest.mark.parametrize("values", [np.ones((3, 4)), np.ones((1, 4)), np.arange(3.0)[:, None]])
def test_w_is_nan_where_nothing_can_agree(values):
    assert np.isnan(kendall_w(values).w)


def test_the_spearman_matrix_agrees_with_scipy_and_turns_metrics_the_same_way():
    means = RNG(0).normal(size=(3, 8)).round(1)
    matrix, counts = spearman_matrix(means, [Direction.LOWER, Direction.HIGHER, Direction.LOWER])
    assert matrix[0, 1] == pytest.approx(-stats.spearmanr(means[0], means[1]).statistic)
    assert matrix[0, 2] == pytest.approx(stats.spearmanr(means[0], means[2]).statistic)
    np.testing.assert_allclose(np.diag(matrix), 1)
    np.testing.assert_allclose(matrix, matrix.T)
    assert (counts == 8).all()


def test_fewer_than_three_methods_or_a_constant_metric_correlate_with_nothing():
    matrix, counts = spearman_matrix(np.array([[1.0, 2, np.nan, np.nan], [1, 2, 3, 4], [1, 1, 1, 1]]), [Direction.LOWER] * 3)
    assert np.isnan(matrix[0]).all()
    assert np.isnan(matrix[1, 2])
    assert counts[0].tolist() == [2, 2, 2]


def test_shapes_that_make_no_sense_are_refused():
    with pytest.raises(TensorError, match="methods, images"):
        kendall_w(np.ones(3))
    with pytest.raises(TensorError, match="direction per metric"):
        spearman_matrix(np.ones((2, 3)), [Direction.LOWER])
