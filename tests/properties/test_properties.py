"""Properties that hold for every input hypothesis can think of."""

import json
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from heatproof.core.seeds import derive, seed_of
from heatproof.core.settings import Settings, canonical_json, content_hash
from heatproof.methods import ExpectedGradients, IntegratedGradients, Method, SmoothGrad, SmoothTaylor
from heatproof.numerics.area import area, area_weights
from heatproof.numerics.normalise import percentile_scale, symmetric_scale
from heatproof.numerics.quadrature import GaussLegendre, LeftRiemann, Midpoint, Quadrature, RightRiemann, Trapezoid
from heatproof.numerics.similarity import average_ranks, pearson, spearman
from heatproof.perturb.draws import Draws
from heatproof.perturb.fills import Fill
from heatproof.perturb.masks.regions import rank_regions
from heatproof.perturb.noises import Gaussian
from tests.support import zoo

FINITE = st.floats(-1e6, 1e6, allow_nan=False, width=32)
FEW_VALUES = st.sampled_from([-2.0, -0.5, 0.0, 0.5, 1.0])
ROWS = hnp.arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(2, 40)), elements=st.one_of(FINITE, FEW_VALUES))
TIED_ROWS = hnp.arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(2, 40)), elements=FEW_VALUES)


# --- ranks and correlations ------------------------------------------------------------------------------------------------


@given(st.one_of(ROWS, TIED_ROWS))
def test_average_ranks_are_scipys(rows: np.ndarray) -> None:
    assert np.array_equal(average_ranks(torch.from_numpy(rows)).numpy(), stats.rankdata(rows, axis=1))


@given(st.one_of(ROWS, TIED_ROWS), st.integers(0, 2**31))
def test_correlations_are_scipys(rows: np.ndarray, seed: int) -> None:
    other = np.random.default_rng(seed).permuted(rows, axis=1) + np.arange(rows.shape[1]) % 3
    for ours, theirs in ((pearson, stats.pearsonr), (spearman, stats.spearmanr)):
        found = ours(torch.from_numpy(rows), torch.from_numpy(other)).numpy()
        for row, value in enumerate(found):
            if np.ptp(rows[row]) <= 1e-9 * np.abs(rows[row]).max() or np.ptp(other[row]) <= 1e-9 * np.abs(other[row]).max():
                continue
            assert value == pytest.approx(theirs(rows[row], other[row]).statistic, abs=1e-6)


@given(st.one_of(ROWS, TIED_ROWS))
def test_a_map_correlates_perfectly_with_itself_and_with_its_negative(rows: np.ndarray) -> None:
    maps = torch.from_numpy(rows)
    spread = maps.amax(1) - maps.amin(1) > 1e-3
    for compare in (pearson, spearman):
        assert compare(maps, maps)[spread].allclose(torch.ones(1, dtype=torch.float64))
        assert compare(maps, -2 * maps)[spread].allclose(-torch.ones(1, dtype=torch.float64))


@given(FINITE, st.integers(2, 50))
def test_a_constant_map_has_no_correlation(value: float, n: int) -> None:
    constant, other = torch.full((1, n), value), zoo.normal(1, n)
    assert spearman(constant, other).isnan().all()
    assert spearman(other, constant).isnan().all()


@pytest.mark.parametrize("compare", [pearson, spearman])
def test_a_map_with_nan_has_no_correlation_and_spares_the_others(compare: Callable[..., torch.Tensor]) -> None:
    maps, other = zoo.normal(3, 6), zoo.normal(3, 6, seed=1)
    broken = maps.index_put((torch.tensor(1), torch.tensor(2)), torch.tensor(torch.nan))
    for found in (compare(broken, other), compare(other, broken)):
        assert found.isnan().tolist() == [False, True, False]
        assert found[[0, 2]].equal(compare(maps, other)[[0, 2]])


# --- quadrature, areas, scales ---------------------------------------------------------------------------------------------

RULE_NAMES = st.sampled_from([GaussLegendre, LeftRiemann, Midpoint, RightRiemann, Trapezoid])
RULES = st.builds(lambda rule, n: rule(steps=n), RULE_NAMES, st.integers(1, 60))


@given(RULES)
def test_every_rule_integrates_a_constant_exactly(rule: Quadrature) -> None:
    nodes, weights = rule.nodes()
    assert len(nodes) == len(weights) == rule.n_nodes
    assert weights.sum().item() == pytest.approx(1, abs=1e-13)
    assert ((nodes >= 0) & (nodes <= 1)).all()


@given(st.integers(1, 20), st.lists(st.floats(-3, 3), min_size=1, max_size=40))
def test_gauss_legendre_is_exact_for_every_polynomial_of_its_degree(n: int, coefficients: list[float]) -> None:
    coefficients = coefficients[: 2 * n]
    nodes, weights = GaussLegendre(steps=n).nodes()
    found = sum(c * (weights * nodes**d).sum().item() for d, c in enumerate(coefficients))
    assert found == pytest.approx(sum(c / (d + 1) for d, c in enumerate(coefficients)), abs=1e-12 * len(coefficients))


@given(st.integers(2, 60), st.sampled_from(["simpson", "trapezoid"]), st.floats(-5, 5), st.floats(-5, 5))
def test_every_area_rule_is_exact_for_straight_lines(n: int, rule: str, slope: float, offset: float) -> None:
    line = offset + slope * torch.arange(n, dtype=torch.float64)
    assert area(line[None], rule).item() == pytest.approx(offset * (n - 1) + slope * (n - 1) ** 2 / 2, abs=1e-9)
    assert area_weights(n, rule).flip(0).tolist() == pytest.approx(area_weights(n, rule).tolist())


@given(st.integers(1, 20).map(lambda k: 2 * k + 1), st.lists(st.floats(-1, 1), min_size=4, max_size=4))
def test_simpson_is_exact_for_cubics_on_an_odd_number_of_points(n: int, c: list[float]) -> None:
    x = torch.arange(n, dtype=torch.float64)
    curve = c[0] + c[1] * x + c[2] * x**2 + c[3] * x**3
    expected = sum(c[d] * (n - 1) ** (d + 1) / (d + 1) for d in range(4))
    assert area(curve[None], "simpson").item() == pytest.approx(expected, abs=1e-7, rel=1e-10)


@given(ROWS, st.floats(0.01, 100), st.floats(50, 100))
def test_percentile_scale_fills_the_unit_interval_and_ignores_scale_and_sign(rows: np.ndarray, factor: float, top: float) -> None:
    maps = torch.from_numpy(rows)
    scaled = percentile_scale(maps, top)
    assert ((scaled >= 0) & (scaled <= 1)).all()
    assert (scaled.amin(1) == 0).all()
    assert torch.equal(percentile_scale(-maps, top), scaled)
    assert percentile_scale(4 * maps, top).equal(scaled)
    signed = symmetric_scale(factor * maps)
    assert (signed.abs() <= 1 + 1e-12).all()
    assert (signed.sign() == maps.sign()).all()


PIXELS = torch.tensor([[[0.5, -1.25]]])


# --- settings --------------------------------------------------------------------------------------------------------------

COUNTS = st.integers(1, 10**6)
SCALES = st.sampled_from(["absolute", "image", "bounds"])
NOISES = st.builds(Gaussian, sigma=st.floats(1e-6, 1e6), relative_to=SCALES, antithetic=st.booleans())
FILLS = st.sampled_from(
    ["black", "white", "zero", "uniform", "channel_mean", {"name": "blurred", "sigma": 0.25}, {"name": "custom", "values": PIXELS}]
).map(Fill.from_dict)
SIMPLE = st.one_of(
    st.sampled_from(["gradient", "input_x_gradient", "random_map"]).map(Method.from_dict),
    st.builds(IntegratedGradients, baseline=FILLS, quadrature=RULES),
    st.builds(ExpectedGradients, baseline=FILLS, baselines=COUNTS, strata=COUNTS),
    st.builds(SmoothTaylor, noise=NOISES, samples=COUNTS),
)
METHODS = st.recursive(SIMPLE, lambda inner: st.builds(SmoothGrad, method=inner, noise=NOISES, samples=COUNTS), max_leaves=3)


@given(METHODS)
def test_settings_round_trip_through_json(method: Method) -> None:
    again = Method.from_dict(json.loads(canonical_json(method.to_dict())))
    assert again == method
    assert again.digest == method.digest
    assert canonical_json(again.to_dict()) == canonical_json(method.to_dict())


@given(METHODS, METHODS)
def test_settings_have_equal_digests_if_and_only_if_they_are_equal(a: Settings, b: Settings) -> None:
    assert (a.digest == b.digest) == (a == b) == (a.to_dict() == b.to_dict())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), JSON))
def test_canonical_json_reads_back_and_ignores_the_order_of_keys(value: dict[str, object]) -> None:
    assert json.loads(canonical_json(value)) == value
    assert content_hash(dict(reversed(value.items()))) == content_hash(value)


# --- seeds and draws -------------------------------------------------------------------------------------------------------

PARTS = st.lists(st.one_of(st.integers(), st.text(), st.binary()), max_size=5)


def typed(parts: list[object]) -> list[tuple[str, object]]:
    return [(type(part).__name__, part) for part in parts]


@given(PARTS, PARTS)
def test_keys_are_equal_only_for_equal_parts(a: list[int | str | bytes], b: list[int | str | bytes]) -> None:
    assert (derive(*a) == derive(*b)) == (typed(a) == typed(b))


@given(st.text(), st.text(), st.integers(), st.integers())
def test_no_two_ways_of_cutting_a_text_share_a_key(a: str, b: str, m: int, n: int) -> None:
    assert len({derive(a, b), derive(a + b), derive(a + b, ""), derive("", a + b)}) == len(
        {(a, b), (a + b,), (a + b, ""), ("", a + b)}
    )
    assert derive(m, n) != derive(int(f"{abs(m)}{abs(n)}"))
    assert derive(1) != derive("1")


@given(PARTS)
def test_seeds_fit_a_generator(parts: list[int | str | bytes]) -> None:
    assert 0 <= seed_of(derive(*parts)) < 2**63


@settings(max_examples=40)
@given(st.integers(0, 2**40), st.permutations(range(5)), st.lists(st.integers(0, 10**6), min_size=5, max_size=5))
def test_a_draw_belongs_to_its_image_whatever_the_batch_and_the_order(seed: int, order: list[int], index: list[int]) -> None:
    images = zoo.images(5, side=3)
    draws = Draws.for_images(seed, images)
    together = draws.normal("stream", index, (4,))
    permuted = Draws.for_images(seed, images[order]).normal("stream", [index[i] for i in order], (4,))
    assert torch.equal(permuted, together[order])
    alone = Draws.for_images(seed, images[2:3]).normal("stream", index[2], (4,))
    assert torch.equal(alone, together[2:3])
    assert torch.equal(draws.rows(order).normal("stream", [index[i] for i in order], (4,)), together[order])


@settings(max_examples=40)
@given(st.integers(0, 2**40), st.integers(0, 10**6))
def test_draws_differ_between_seeds_streams_indices_images_and_nested_uses(seed: int, index: int) -> None:
    images = zoo.images(2, side=3)
    draws = Draws.for_images(seed, images)
    found = [
        draws.normal("a", index, (6,)),
        draws.normal("b", index, (6,)),
        draws.normal("a", index + 1, (6,)),
        draws.child("a", index).normal("a", index, (6,)),
        Draws.for_images(seed + 1, images).normal("a", index, (6,)),
    ]
    rows = torch.cat(found)
    assert len(rows.unique(dim=0)) == 10


# --- regions ---------------------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(
    st.integers(1, 4),
    st.integers(1, 5),
    st.integers(0, 12),
    st.integers(0, 12),
    st.sampled_from(["noise", "constant", "few values"]),
    st.booleans(),
    st.integers(0, 10**6),
)
def test_regions_lie_inside_and_never_overlap(
    side: int, count: int, more_rows: int, more_columns: int, kind: str, skip_last: bool, seed: int
) -> None:
    h, w = 2 * side * count + 1 + more_rows, 2 * side + 1 + more_columns
    values = zoo.normal(2, 1, h, w, seed=seed)
    maps = {"noise": values, "constant": torch.ones_like(values), "few values": values.round()}[kind]
    corners = rank_regions(maps, Draws.for_images(seed, values), side=side, count=count, skip_last=skip_last)
    for found in corners.tolist():
        covered = torch.zeros(h, w, dtype=torch.int)
        for i, j in found:
            assert 0 <= i <= h - side - skip_last
            assert 0 <= j <= w - side - skip_last
            covered[i : i + side, j : j + side] += 1
        assert covered.max() == 1
        assert covered.sum() == count * side**2


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.floats(0.001, 1000))
def test_region_ranking_ignores_scale(seed: int, factor: float) -> None:
    maps = zoo.normal(2, 1, 12, 12, seed=seed, dtype=torch.float64)
    draws = Draws.for_images(seed, maps)
    ranked = rank_regions(maps, draws, side=3, count=4)
    assert torch.equal(rank_regions(factor * maps, draws, side=3, count=4), ranked)
