"""Which of several methods may be the best: by its definition, its level, and what is missing."""

from itertools import product

import numpy as np
import pytest

from heatproof.core.errors import TensorError
from heatproof.stats import best_of_ps


def by_definition(values, row):
    differences = [other - values[row] for other in values]
    signs = list(product((-1, 1), repeat=values.shape[1]))
    observed = max(each.sum() for each in differences) - 1e-9
    return sum(max((each * s).sum() for each in differences) >= observed for s in signs) / len(signs)


def test_it_is_the_share_of_sign_vectors_that_reach_the_largest_lead():
    values = np.random.default_rng(0).normal(size=(4, 7)) + np.array([[1.0], [0.5], [0.0], [-1.0]])
    found = best_of_ps(values, np.random.default_rng(0))
    assert found.tolist() == pytest.approx([by_definition(values, row) for row in range(4)])


def test_of_equal_methods_each_is_rejected_at_the_level_however_many_there_are():
    rng = np.random.default_rng(1)
    for m in (2, 12):
        rejected = [best_of_ps(rng.normal(size=(m, 8)), rng) <= 0.05 for _ in range(60)]
        low, high = (0, 0.12) if m == 2 else (0.02, 0.08)
        assert low <= np.mean(rejected) <= high


def test_random_signs_of_many_images_never_give_zero_and_what_is_missing_counts_as_none():
    values = np.stack([np.zeros(40), np.ones(40)])
    assert best_of_ps(values, np.random.default_rng(0), draws=500).tolist() == [1 / 501, 1.0]
    values[1, 6:] = np.nan
    assert best_of_ps(values[:, :8], np.random.default_rng(0))[0] == pytest.approx(1 / 64)
    with pytest.raises(TensorError, match=r"expected scores \[methods, images\]"):
        best_of_ps(values[0], np.random.default_rng(0))
