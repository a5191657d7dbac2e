from itertools import combinations

import numpy as np
import pytest

from heatproof.stats import permutation_p


def test_few_numbers_are_divided_in_every_way_and_many_at_random():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.7, 1, 5), rng.normal(0, 1, 6)
    both, all_of_them = np.concatenate([a, b]), []
    for chosen in combinations(range(11), 5):
        rest = [i for i in range(11) if i not in chosen]
        all_of_them.append(abs(both[list(chosen)].mean() - both[rest].mean()))
    exact = np.mean(np.array(all_of_them) >= abs(a.mean() - b.mean()) - 1e-12)
    assert permutation_p(a, b, rng) == pytest.approx(exact)
    assert permutation_p(np.ones(3), np.ones(4), rng) == 1
    assert permutation_p(np.ones(12), np.zeros(12), rng) < 0.001
    assert permutation_p(np.ones(12), np.zeros(12), rng, draws=99) >= 0.01  # never zero
    assert np.isnan(permutation_p(np.array([]), a, rng))


def test_of_two_samples_of_one_law_five_in_a_hundred_differ():
    rng = np.random.default_rng(1)
    ps = [permutation_p(rng.normal(size=10), rng.normal(size=10), rng, draws=200) for _ in range(200)]
    assert 0.01 < np.mean(np.array(ps) < 0.05) < 0.1
