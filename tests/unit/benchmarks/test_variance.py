"""The estimators of the sampling study, against variances known in closed form."""

import pytest
import torch

from benchmarks.variance import (
    allocated_variance,
    alone_variance,
    controlled_variance,
    crossed_covariance,
    difference_variance,
    limit_product,
    orthogonal,
    per_row_variance,
    strata_variances,
    stratified_variance,
)
from tests.support import zoo

ROWS, SIGMA = 20_000, 0.7
CURVATURE, SLOPE = zoo.normal(12, seed=1), zoo.normal(12, seed=2)
"""h and c of f = ½ Σ h x² + c·x at x = 0, where ∇f(ε) = h ε + c."""


def noise(rows: int = ROWS) -> torch.Tensor:
    return SIGMA * zoo.normal(rows, 12, seed=3)


def taylor(noise: torch.Tensor, curvature: torch.Tensor = CURVATURE) -> torch.Tensor:
    return -noise * (curvature * noise + SLOPE)


def variance(rows: torch.Tensor) -> float:
    return per_row_variance(rows[:, None])


LINEAR_PART = float((SIGMA * SLOPE).square().sum())
SQUARE_PART = float(2 * (SIGMA**2 * CURVATURE).square().sum())
"""A row's variance is σ² c² + 2 σ⁴ h², summed."""


def test_independent_rows_have_the_variance_of_one_row():
    assert variance(taylor(noise())) == pytest.approx(LINEAR_PART + SQUARE_PART, rel=0.05)


def test_antithetic_pairs_leave_nothing_of_a_linear_function():
    rows = torch.stack([taylor(sign * noise(), torch.zeros(12)) for sign in (1, -1)], 1)
    assert per_row_variance(rows) == pytest.approx(0, abs=1e-9)
    assert alone_variance(rows) == pytest.approx(LINEAR_PART, rel=0.05)


def test_antithetic_pairs_double_what_is_even():
    rows = torch.stack([taylor(sign * noise()) for sign in (1, -1)], 1)
    assert per_row_variance(rows) == pytest.approx(2 * SQUARE_PART, rel=0.05)


@pytest.mark.parametrize("per_value", [True, False])
def test_a_control_takes_the_linear_part_of_a_quadratic(per_value):
    found = controlled_variance(taylor(noise()), -noise() * SLOPE, per_value)
    assert found == pytest.approx(SQUARE_PART, rel=0.05)


def test_a_control_that_knows_nothing_costs_what_it_takes_to_fit_it():
    """Of n rows, a coefficient of its own per value has variance 1/n of the row's."""
    rows, control = zoo.normal(40, 5000, seed=5), zoo.normal(40, 5000, seed=6)
    assert controlled_variance(rows, control, per_value=True) / variance(rows) == pytest.approx(1 + 1 / 30, abs=0.01)
    assert controlled_variance(rows, control, per_value=False) / variance(rows) == pytest.approx(1, abs=0.01)


def test_rademacher_roots_of_a_quadratic_have_its_limit_and_only_the_linear_variance():
    signs = taylor(SIGMA * noise().sign())
    assert variance(signs) == pytest.approx(LINEAR_PART, rel=0.01)
    gap = signs - taylor(noise())
    assert abs(limit_product(gap, gap)) < 4 * variance(gap) / ROWS


def test_the_squared_length_of_a_limit_carries_no_sampling_error():
    limits = [limit_product(rows, rows) for rows in (2 + zoo.normal(5, 50, seed=seed) for seed in range(400))]
    assert sum(limits) / len(limits) == pytest.approx(4 * 50, rel=0.01)


def strata(groups: int = ROWS) -> torch.Tensor:
    """Rows α + b of four strata of α, the baseline b ~ N(0, 1) shared in a group."""
    generator = torch.Generator().manual_seed(7)
    alpha = (torch.arange(4) + torch.rand(groups, 4, generator=generator)) / 4
    return (alpha + zoo.normal(groups, 1, seed=8))[..., None]


def test_strata_that_share_a_baseline_pay_for_it():
    assert per_row_variance(strata()) == pytest.approx(1 / 192 + 4, rel=0.05)
    assert alone_variance(strata()) == pytest.approx(1 / 12 + 1, rel=0.05)
    assert stratified_variance(strata()) == pytest.approx(1 / 192 + 1, rel=0.05)


def test_rows_are_given_to_the_strata_that_vary():
    rows = zoo.normal(ROWS, 4, 3, seed=9) * torch.tensor([0.0, 1.0, 2.0, 5.0])[:, None]
    assert strata_variances(rows).tolist() == pytest.approx([0, 3, 12, 75], rel=0.05)
    assert stratified_variance(rows) == pytest.approx(90 / 4, rel=0.05)
    assert allocated_variance(rows[:, 1:]) == pytest.approx(3 * (8 / 3) ** 2, rel=0.05)


def test_scores_that_share_maps_or_seeds_have_the_variance_of_what_they_do_not_share():
    """Score = map effect of size 1 + seed effect of size 2 + a remainder of their own of size ½."""
    found = {share: 0.0 for share in ((False, False), (True, False), (False, True), (True, True))}
    for trial in range(1000):
        draw = zoo.normal(4, 12, seed=trial)
        common = draw[0, :6, None] + 2 * draw[1, :3]
        a, b = (common + zoo.normal(6, 3, seed=10_000 + 2 * trial + which) / 2 for which in (0, 1))
        for same_map, same_seed in found:
            found[same_map, same_seed] += difference_variance(a, b, same_map=same_map, same_seed=same_seed) / 1000
    assert found == pytest.approx({(False, False): 10.5, (True, False): 8.5, (False, True): 2.5, (True, True): 0.5}, abs=0.5)


def test_nothing_shared_has_no_covariance():
    scores = zoo.normal(5, 4, seed=11)
    assert crossed_covariance(scores, scores, same_map=False, same_seed=False) == 0


def test_orthogonal_noise_keeps_its_lengths():
    groups = orthogonal(noise(6), 3).view(2, 3, 12)
    lengths = noise(6).norm(dim=1).view(2, 3)
    assert torch.allclose(groups @ groups.mT, torch.diag_embed(lengths.square()), atol=1e-5)
    assert torch.allclose(groups[:, 0], noise(6).view(2, 3, 12)[:, 0])
