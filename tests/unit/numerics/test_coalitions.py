"""Facts of cooperative games, of trees over players, and of the regressions that estimate values of games."""

from itertools import product

import pytest
import torch
from torch import Tensor

from heatproof.numerics.balanced_tree import Tree, balanced_tree
from heatproof.numerics.coalition_strata import pairs_in_all, pairs_of_size, size_sequence, stratum_mass, stratum_sizes
from heatproof.numerics.owen_values import OwenValues, TreeOrders, owen_coalitions
from heatproof.numerics.paired_fit import paired_fit
from heatproof.numerics.shapley_values import every_coalition, kernel_mass, shapley_values
from heatproof.numerics.weighted_ridge import weighted_ridge
from tests.support import zoo
from tests.support.close import assert_close

DOUBLE = torch.float64


def games(m: int, n: int = 3) -> Tensor:
    return zoo.normal(n, 2**m, seed=m, dtype=DOUBLE)


@pytest.mark.parametrize("m", [1, 2, 3, 6])
def test_shapley_values_are_efficient_symmetric_and_blind_to_dummies(m: int) -> None:
    v = games(m)
    assert_close(shapley_values(v).sum(1), v[:, -1] - v[:, 0], 1e-12)
    by_size = zoo.normal(m + 1, seed=1, dtype=DOUBLE)[every_coalition(m).sum(1)][None]
    assert_close(shapley_values(by_size), ((by_size[:, -1] - by_size[:, 0]) / m)[:, None].expand(1, m), 1e-12)
    with_dummy = torch.cat([v, v], 1)  # the last player changes nothing
    assert not shapley_values(with_dummy)[:, -1].any()
    assert_close(shapley_values(with_dummy)[:, :-1], shapley_values(v), 1e-12)


@pytest.mark.parametrize("m", [2, 3, 4, 5, 8])
def test_the_fit_to_all_pairs_has_the_shapley_values_whatever_their_order(m: int) -> None:
    v, n = games(m), pairs_in_all(m)
    sizes = size_sequence(m, n)
    every = every_coalition(m)
    half = torch.stack([row for row in every if 2 * row.sum() < m or (2 * row.sum() == m and bool(row[0]))][1:])
    pairs = half[half.sum(1).argsort(stable=True)]
    index = (pairs * 2 ** torch.arange(m)).sum(1)
    odd = (v[:, index] - v[:, 2**m - 1 - index]) / 2
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0))
    for at in (torch.arange(n), order):
        fit = paired_fit(pairs[None, at], pairs.sum(1)[at], odd[:, at, None], (v[:, -1:] - v[:, :1]))
        assert_close(fit.effects[..., 0], shapley_values(v), 1e-10)
        assert not fit.standard_error.any()
    assert sorted(sizes.tolist()) == pairs.sum(1).tolist()


@pytest.mark.parametrize("m", range(2, 12))
def test_strata_hold_every_pair_and_all_of_the_weight(m: int) -> None:
    assert sum(pairs_of_size(m, s) for s in range(1, m // 2 + 1)) == pairs_in_all(m) == stratum_sizes(m)[1:].sum()
    for mass in (kernel_mass(m), stratum_mass(m)):
        assert_close(mass.sum(), torch.tensor(1.0, dtype=DOUBLE), 1e-12)
    counts = torch.bincount(size_sequence(m, pairs_in_all(m)), minlength=m // 2 + 1)
    assert counts.tolist() == [0, *(pairs_of_size(m, s) for s in range(1, m // 2 + 1))]


def test_an_unsampled_size_leaves_the_error_unknown() -> None:
    pairs = torch.eye(6).bool()[None]
    fit = paired_fit(pairs, torch.ones(6).long(), torch.ones(1, 6, 1, dtype=DOUBLE), torch.ones(1, 1, dtype=DOUBLE))
    assert fit.standard_error.isnan().all()
    assert_close(fit.effects.sum(), torch.tensor(1.0, dtype=DOUBLE), 1e-12)


def leaves(tree: Tree) -> list[int]:
    return [tree] if isinstance(tree, int) else [*leaves(tree[0]), *leaves(tree[1])]


def nodes(tree: Tree) -> list[list[int]]:
    return [] if isinstance(tree, int) else [leaves(tree), *nodes(tree[0]), *nodes(tree[1])]


@pytest.mark.parametrize("m", [1, 2, 5, 16, 23])
def test_a_tree_halves_its_points_and_keeps_neighbours_together_in_every_order(m: int) -> None:
    tree = balanced_tree(zoo.normal(m, 2, seed=m))
    assert sorted(leaves(tree)) == [*range(m)]
    bits = torch.rand(20, max(m - 1, 1), generator=torch.Generator().manual_seed(0)) < 0.5
    orders = TreeOrders.of(tree)
    ranks = orders.ranks(bits)
    assert ranks.sort(1).values.tolist() == [[*range(m)]] * 20
    assert torch.equal(orders.ranks(~bits), m - 1 - ranks)
    for node in nodes(tree):
        within = ranks[:, node]
        assert (within.max(1).values - within.min(1).values == len(node) - 1).all()


def test_points_in_a_row_are_halved_in_their_order() -> None:
    assert balanced_tree(torch.arange(4.0)[:, None].flip(0)) == ((3, 2), (1, 0))


@pytest.mark.parametrize("m", [1, 2, 3, 6])
def test_owen_values_are_means_over_all_orders_of_the_tree(m: int) -> None:
    tree = balanced_tree(zoo.normal(m, 1, seed=m))
    owen, v = OwenValues.of(tree), games(m)
    assert len(owen.coalitions) == owen_coalitions(m) + 2
    index = (owen.coalitions * 2 ** torch.arange(m)).sum(1)
    found = owen.values(v[:, index])
    every = torch.tensor([*product([False, True], repeat=max(m - 1, 1))])
    expected = torch.zeros_like(found)
    for rank in TreeOrders.of(tree).ranks(every):
        for player in range(m):
            before = (2 ** torch.arange(m))[rank < rank[player]].sum()
            expected[:, player] += (v[:, before + 2**player] - v[:, before]) / len(every)
    assert_close(found, expected, 1e-12)
    assert_close(found.sum(1), v[:, -1] - v[:, 0], 1e-12)


def test_a_ridge_fit_is_where_its_gradient_vanishes_and_ignores_what_has_no_weight() -> None:
    x, y, w = zoo.normal(2, 9, 3, seed=1, dtype=DOUBLE), zoo.normal(2, 9, seed=2, dtype=DOUBLE), torch.rand(2, 9, dtype=DOUBLE)
    fit = weighted_ridge(x, y, w, ridge=0.7)
    beta = fit.coefficients[..., None]
    intercept = ((w * (y - (x @ beta)[..., 0])).sum(1) / w.sum(1))[:, None]
    residual = w * (y - intercept - (x @ beta)[..., 0])
    assert_close((x.mT @ residual[..., None])[..., 0], 0.7 * fit.coefficients, 1e-10)
    more = [torch.cat([each, zoo.normal(2, *shape, seed=3, dtype=DOUBLE)], 1) for each, shape in ((x, (4, 3)), (y, (4,)))]
    unweighted = weighted_ridge(*more, torch.cat([w, torch.zeros(2, 4, dtype=DOUBLE)], 1), ridge=0.7)
    assert_close(unweighted.coefficients, fit.coefficients, 1e-10)
    assert_close(unweighted.r_squared, fit.r_squared, 1e-10)
    assert weighted_ridge(x, torch.full_like(y, 3.3), w, ridge=0.7).coefficients.abs().max() == 0
