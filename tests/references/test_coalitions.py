"""LIME and the three Shapley methods against their definitions, and what they must be where the network is simple."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import pytest
import torch
from torch import Tensor, nn

from heatproof.core.errors import SettingsError, TensorError
from heatproof.methods import KernelShap, Lime, Method, PartitionShap, ShapleySampling
from heatproof.methods.perturbation.base import WHOLE
from heatproof.methods.perturbation.lime import STREAM as LIME
from heatproof.methods.perturbation.lime import UNDEFINED
from heatproof.methods.perturbation.shapley_sampling import STREAM as PERMUTATION
from heatproof.models import Bounds, Model
from heatproof.numerics.balanced_tree import balanced_tree
from heatproof.numerics.coalition_strata import size_sequence
from heatproof.passes.counting import PassCount
from heatproof.perturb.draws import Draws
from heatproof.perturb.fills import Black, NoisyLinear, Reference, Uniform
from heatproof.perturb.groups import FeatureGroups, GivenGroups, Groups, Patches, Pixels, RegularGrid, Slic
from heatproof.perturb.masks.coalitions import paired_coalitions
from tests.references import coalitions as slow
from tests.references.twin import twin_of
from tests.support import zoo
from tests.support.close import assert_close

TIGHT = 1e-9
TARGET = 1
FOUR, NINE = RegularGrid(cells_per_axis=2), RegularGrid(cells_per_axis=3)


@dataclass(frozen=True)
class Rows:
    """Images, signals or table rows with their groups, as games of their own."""

    model: Model
    data: Tensor
    groups: FeatureGroups

    def game(self, i: int) -> slow.Game:
        x, black = self.data[i], self.model.bounds.like(self.data[i : i + 1])[0][0].expand_as(self.data[i])
        return slow.game_of(lambda z: float(self.model.outputs(z[None])[0, TARGET].detach()), x, black, self.ids(i))

    def ids(self, i: int) -> Tensor:
        return self.groups.ids[i].expand(self.data[i].shape)

    def assert_maps(self, found: Tensor, effects: Callable[[int], list[float]], tolerance: float = TIGHT) -> None:
        for i, values in enumerate(found):
            assert_close(values, slow.spread(effects(i), self.ids(i)), tolerance)


def of(kind: str, groups: Groups) -> Rows:
    network, channels, data = {
        "images": (zoo.smooth_conv, 3, zoo.images),
        "signals": (zoo.temporal_conv, 2, zoo.signals),
        "table": (zoo.tabular_mlp, 7, zoo.table),
    }[kind]
    model, rows = zoo.model(network(), channels=channels, dtype=torch.float64), data(2, dtype=torch.float64)
    return Rows(model, rows, groups(rows, model.bounds, Draws.for_images(0, rows)))


def sets(masks: Tensor) -> list[slow.Coalition]:
    return [frozenset(row.nonzero()[:, 0].tolist()) for row in masks]


KINDS = pytest.mark.parametrize(
    ("kind", "groups"),
    [
        ("images", Slic(segments=5)),
        ("images", GivenGroups(ids=torch.arange(192).view(3, 8, 8) % 6 - 1)),
        ("signals", Patches(side=4)),
        ("table", Pixels()),
    ],
    ids=["superpixels", "any integers", "segments", "columns"],
)


# --- twins -----------------------------------------------------------------------------------------------------------------


@twin_of("kernel_shap", "shapley_sampling")
@KINDS
def test_few_groups_have_the_shapley_values_of_all_coalitions(kind: str, groups: Groups) -> None:
    rows = of(kind, groups)
    for method in (KernelShap(groups=groups), ShapleySampling(samples=64, groups=groups)):
        found = method.attribute(rows.model, rows.data, TARGET)
        rows.assert_maps(found.values, lambda i: slow.shapley_by_subsets(rows.game(i), rows.groups.counts[i]))
        assert found.error.tolist() == [0, 0]


@twin_of("kernel_shap")
def test_sampled_kernel_shap_is_the_constrained_weighted_fit_to_its_coalitions() -> None:
    rows = of("images", NINE)
    found = KernelShap(samples=30, groups=NINE).attribute(rows.model, rows.data, TARGET, seed=2)
    pairs = paired_coalitions(Draws.for_images(2, rows.data), 9, 15)
    rows.assert_maps(found.values, lambda i: slow.kernel_shap(rows.game(i), 9, sets(torch.cat([pairs[i], ~pairs[i]]))))


@twin_of("shapley_sampling")
def test_sampled_shapley_values_are_means_over_permutations_and_their_reverses() -> None:
    rows = of("images", NINE)
    found = ShapleySampling(samples=6, groups=NINE).attribute(rows.model, rows.data, TARGET, seed=2)

    def effects(i: int) -> list[float]:
        draws = Draws.for_images(2, rows.data).rows([i])
        orders = [draws.uniform(PERMUTATION, pair, (9,))[0].argsort().tolist() for pair in range(3)]
        return slow.mean_over(rows.game(i), [*orders, *(order[::-1] for order in orders)])

    rows.assert_maps(found.values, effects)


@twin_of("partition_shap")
@KINDS
def test_owen_values_are_means_over_the_orders_that_keep_neighbours_together(kind: str, groups: Groups) -> None:
    rows = of(kind, groups)
    found = PartitionShap(samples=64, groups=groups).attribute(rows.model, rows.data, TARGET)

    def effects(i: int) -> list[float]:
        ids, m = rows.groups.ids[i], rows.groups.counts[i]
        centres = torch.stack([(ids == group).nonzero().double().mean(0) for group in range(m)])
        return slow.mean_over(rows.game(i), [*slow.tree_orders(balanced_tree(centres))])

    rows.assert_maps(found.values, effects)
    assert found.error.tolist() == [0, 0]


@twin_of("lime")
@pytest.mark.parametrize(
    "settings", [{}, {"distance": "euclidean", "kernel_width": 1.5, "ridge": 0.2}], ids=["cosine", "euclidean"]
)
def test_lime_is_the_weighted_ridge_regression_of_its_samples(settings: dict[str, object]) -> None:
    rows = of("images", NINE)
    method = Lime(samples=40, groups=NINE, **settings)
    found = method.attribute(rows.model, rows.data, TARGET, seed=2)
    masks = Draws.for_images(2, rows.data).uniform(LIME, 0, (40, 9)) < 0.5
    masks[:, 0] = True
    given = {"distance": method.distance, "width": method.kernel_width, "ridge": method.ridge}
    twins = [slow.lime(rows.game(i), 9, sets(masks[i]), **given) for i in range(2)]
    rows.assert_maps(found.values, lambda i: twins[i][0])
    assert_close(found.details["r_squared"], torch.tensor([r for _, r in twins], dtype=torch.double), TIGHT)


@pytest.mark.parametrize("kind", ["images", "table"])
def test_lime_counts_each_of_few_coalitions_as_often_as_it_would_be_drawn(kind: str) -> None:
    groups = FOUR if kind == "images" else Pixels()
    rows = of(kind, groups)
    m = rows.groups.most
    found = Lime(samples=256, groups=groups).attribute(rows.model, rows.data, TARGET)
    every = sets(torch.tensor([*product([False, True], repeat=m)])) * (256 // 2**m)
    given = {"distance": "cosine", "width": 0.25, "ridge": 1.0}
    rows.assert_maps(found.values, lambda i: slow.lime(rows.game(i), m, every, **given)[0])
    assert found.error.tolist() == [0, 0]
    assert found.passes == PassCount(2 * 2**m, 0)


# --- closed forms ----------------------------------------------------------------------------------------------------------

SAMPLED: list[Method] = [
    KernelShap(samples=20, groups=NINE),
    ShapleySampling(samples=4, groups=NINE),
    PartitionShap(samples=4, groups=NINE),
    Lime(samples=30, groups=NINE, ridge=0),
]


@pytest.mark.parametrize("method", SAMPLED, ids=lambda method: method.name)
def test_a_few_samples_are_exact_for_a_function_that_is_additive_over_groups(method: Method) -> None:
    """f(x) = Σ a sin(b x): the effects are the differences of its terms, whichever coalitions are drawn."""
    amplitude, frequency = zoo.normal(2, 3, 8, 8, seed=3), zoo.normal(3, 8, 8, seed=4)
    model, images = zoo.model(zoo.AdditiveSines(amplitude, frequency), dtype=torch.float64), zoo.images(2, dtype=torch.float64)
    lower = model.bounds.like(images)[0]
    term = amplitude[TARGET].double() * ((images * frequency.double()).sin() - (lower * frequency.double()).sin())
    groups = NINE(images, model.bounds, Draws.for_images(0, images))
    effects = torch.stack([term.sum(1)[:, groups.ids[0, 0] == g].sum(1) for g in range(9)], 1)
    found = method.attribute(model, images, TARGET)
    assert_close(found.details["effects"], effects, 1e-10)
    assert (found.error < 1e-7).all()
    if "r_squared" in found.details:
        assert_close(found.details["r_squared"], torch.ones(2, dtype=torch.double), 1e-10)


def table_game(m: int, network: nn.Module, n: int = 1) -> tuple[Model, Tensor]:
    """Rows of a table whose columns are present as 1 and absent as 0: scores are those of coalitions."""
    return Model(network.double(), Bounds.of(0, 2, m), name="game"), torch.ones(n, m, dtype=torch.double)


def test_kernel_shap_of_ten_players_is_brute_force_to_a_millionth() -> None:
    model, row = table_game(10, zoo.filled(nn.Sequential(nn.Linear(10, 6), nn.Tanh(), nn.Linear(6, 2)), seed=3, scale=2))
    found = KernelShap(samples=1022).attribute(model, row, TARGET)

    def v(present: slow.Coalition) -> float:
        z = torch.tensor([[float(i in present) for i in range(10)]], dtype=torch.double)
        return float(model.module(z)[0, TARGET].detach())

    assert_close(found.values[0], torch.tensor(slow.shapley_by_subsets(v, 10), dtype=torch.double), 1e-6)
    assert found.passes.forward == 2**10


ALL: list[Method] = [*SAMPLED, *(method.model_copy(update={"samples": 64, "groups": FOUR}) for method in SAMPLED)]


@pytest.mark.parametrize("method", [method for method in ALL if not isinstance(method, Lime)], ids=str)
@pytest.mark.parametrize("fill", [Black(), Uniform(), NoisyLinear(), Reference(images=zoo.images(4, seed=9))], ids=lambda f: f.name)
def test_maps_sum_to_the_score_less_that_of_nothing_present(method: Method, fill: Black) -> None:
    method = method.model_copy(update={"fill": fill})
    found = method.attribute(zoo.model(zoo.smooth_conv(), dtype=torch.float64), zoo.images(2, dtype=torch.float64), TARGET)
    assert found.gap.max() < 1e-10
    assert found.passes.forward == 2 * method.cost((3, 8, 8)).forward


@pytest.mark.parametrize("method", ALL, ids=str)
def test_images_with_different_numbers_of_groups_are_explained_alone_and_in_a_batch(method: Method) -> None:
    images = zoo.images(3)
    images[1, :, 4:] = images[1, :, :1, :1]
    method = method.model_copy(update={"groups": Slic(segments=6, compactness=0.1)})
    model = zoo.model(zoo.smooth_conv(), chunk=5)
    found = method.attribute(model, images, TARGET)
    counts = (~found.details["effects"].isnan()).sum(1)
    assert len(counts.unique()) > 1
    for i in range(3):
        alone = method.attribute(model.with_(chunk=2), images[i : i + 1], TARGET)
        assert_close(found.values[i], alone.values[0], 1e-5)
        assert alone.details["effects"].shape == (1, int(counts[i]))


# --- standard errors -------------------------------------------------------------------------------------------------------


class Game(nn.Module):
    """A network with interactions of several orders."""

    def __init__(self, m: int) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(m, 12), nn.Linear(12, 2)

    def forward(self, x: Tensor) -> Tensor:
        hidden = (3 * self.inner(x)).tanh()
        return self.outer(hidden + hidden.square())


class Blind(nn.Module):
    """A network that does not see the last column."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x[:, :-1])


@pytest.mark.parametrize(
    ("method", "limit"),
    [
        (KernelShap(samples=80), KernelShap(samples=2**12)),
        (ShapleySampling(samples=24), KernelShap(samples=2**12)),
        (PartitionShap(samples=24), PartitionShap(samples=64)),
        (Lime(samples=120, ridge=0), Lime(samples=2**11, ridge=0)),
    ],
    ids=lambda method: str(method.name),
)
def test_the_standard_error_covers_the_exact_value_as_often_as_it_should(method: Method, limit: Method) -> None:
    """Nominally 95 % of all values. The rows are one game with samples of their own: they differ in a column that nothing sees."""
    m = 40 if isinstance(method, PartitionShap) else 11
    model, rows = table_game(m + 1, Blind(zoo.filled(Game(m), seed=5, scale=1.5)), n=60)
    rows[:, m] = torch.linspace(0, 2, 60)
    groups = GivenGroups(ids=torch.arange(m + 1).where(torch.arange(m + 1) < m, -1))
    exact = limit.model_copy(update={"groups": groups}).attribute(model, rows[:1], TARGET)
    assert exact.error.item() == 0
    found = method.model_copy(update={"groups": groups}).attribute(model, rows, TARGET).details
    covered = ((found["effects"] - exact.details["effects"]).abs() <= 1.96 * found["standard_errors"]).double().mean()
    assert 0.90 <= covered <= 0.99
    assert_close(found["effects"].mean(0), exact.details["effects"][0], 0.15)


@pytest.mark.parametrize(
    "method",
    [
        KernelShap(samples=4000, tolerance=0.1),
        ShapleySampling(samples=1000, tolerance=0.1),
        PartitionShap(samples=1000, tolerance=0.1),
        Lime(samples=4000, tolerance=0.2),
    ],
    ids=lambda method: method.name,
)
def test_a_tolerance_ends_the_sampling_of_an_image_that_has_met_it(method: Method) -> None:
    model, rows = table_game(40, zoo.filled(Game(40), seed=5, scale=0.6), n=2)
    rows[1, :3] = 0.5
    found = method.attribute(model, rows, TARGET)
    assert (found.error <= method.tolerance).all()
    assert (found.probes < method.samples / 2).all()
    assert found.passes.forward < 2 * method.cost((40,)).forward
    capped = method.model_copy(update={"samples": 80, "tolerance": 1e-4}).attribute(model, rows, TARGET)
    assert all("stopped at the cap of 80 samples" in note for note in capped.notes)


def test_all_coalitions_in_rounds_are_exact_at_the_end() -> None:
    """A tolerance that no sample meets is met by the last coalition."""
    model, row = table_game(6, zoo.filled(Game(6), seed=5, scale=1.5))
    found = KernelShap(tolerance=1e-9).attribute(model, row, TARGET)
    assert found.error.item() == 0
    assert_close(found.values, KernelShap().attribute(model, row, TARGET).values, 1e-12)


def test_the_error_of_a_random_fill_falls_with_its_draws_and_is_unknown_for_one() -> None:
    model, images = zoo.model(zoo.smooth_conv()), zoo.images(2)
    errors = [KernelShap(samples=14, groups=FOUR, fill=Uniform(), draws=d).attribute(model, images, 0).error for d in (1, 4, 64)]
    assert errors[0].isnan().all()
    assert (errors[2] < errors[1] / 2).all()


# --- drawn coalitions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("m", "n"), [(4, 7), (6, 20), (9, 40), (12, 300), (40, 200), (2, 1), (1, 0), (3, 3)])
def test_no_pair_of_coalitions_is_drawn_twice_and_sizes_are_as_planned(m: int, n: int) -> None:
    draws = Draws.for_images(0, zoo.images(2))
    for shuffled in (True, False):
        pairs = paired_coalitions(draws, m, n, shuffled=shuffled)
        for design in pairs:
            assert len({frozenset((s, frozenset(range(m)) - s)) for s in sets(design)}) == n
            assert torch.minimum(design.sum(1), (~design).sum(1)).tolist() == size_sequence(m, n).tolist()


def test_a_longer_design_begins_with_the_pairs_of_size_one() -> None:
    assert size_sequence(7, 20)[:7].tolist() == [1] * 7
    assert torch.equal(size_sequence(7, 40)[:20], size_sequence(7, 20))


# --- what is wrong or pointless is said ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", SAMPLED, ids=lambda method: method.name)
@pytest.mark.parametrize("fill", [Black(), Uniform()], ids=lambda fill: fill.name)
def test_one_group_of_everything_has_the_whole_difference_and_a_note(method: Method, fill: Black) -> None:
    method = method.model_copy(update={"groups": RegularGrid(cells_per_axis=1), "fill": fill})
    found = method.attribute(zoo.model(zoo.smooth_conv()), zoo.images(2), 0)
    assert all(WHOLE in note for note in found.notes)
    assert (found.values == found.values[:, :1, :1, :1]).all()
    if not isinstance(method, Lime):
        assert found.gap.max() < 1e-5
    assert found.passes.forward == 2 * method.cost((3, 8, 8)).forward


@pytest.mark.parametrize("method", ALL, ids=str)
def test_the_map_of_a_constant_output_is_zero_and_says_so(method: Method) -> None:
    found = method.attribute(zoo.model(zoo.Deaf(zoo.smooth_conv())), zoo.images(2), 3)
    assert not found.values.any()
    assert all(note.startswith("the map is zero everywhere: ") and method.zero_because in note for note in found.notes)
    if isinstance(method, Lime):
        assert found.details["r_squared"].isnan().all()
        assert all(UNDEFINED in note for note in found.notes)


class NanWhenDark(nn.Module):
    """Not a number for inputs that are black in the corner of one image."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = zoo.smooth_conv()

    def forward(self, x: Tensor) -> Tensor:
        marked = (x[:, 0, 7, 7] == 1) & (x[:, 0, 0, 0] != 0.5)
        return self.inner(x).masked_fill(marked[:, None], torch.nan)


@pytest.mark.parametrize("method", ALL, ids=str)
def test_an_output_that_is_no_number_spoils_its_own_image_alone(method: Method) -> None:
    images = zoo.images(3)
    images[1, 0, 7, 7], images[1, 0, 0, 0] = 1, 0.5
    model, plain = zoo.model(NanWhenDark()), zoo.model(zoo.smooth_conv())
    found, expected = method.attribute(model, images, 0), method.attribute(plain, images, 0)
    assert found.values[1].isnan().any()
    assert "NaN or infinity" in found.notes[1]
    assert_close(found.values[[0, 2]], expected.values[[0, 2]], 1e-6)


def test_settings_and_budgets_that_mean_nothing_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"draws: expected 1, since every draw of black is the same, got 3"):
        KernelShap(draws=3)
    with pytest.raises(SettingsError, match=r"tolerance: expected at least 2 draws of uniform"):
        KernelShap(fill=Uniform(), tolerance=0.1)
    for odd in (KernelShap, ShapleySampling, PartitionShap):
        with pytest.raises(SettingsError, match="multiple of 2"):
            odd(samples=9)
    model, images = zoo.model(zoo.smooth_conv()), zoo.images(2)
    with pytest.raises(TensorError, match=r"kernel_shap: expected samples of at least 98 for 49 feature groups, got 90"):
        KernelShap(samples=90).attribute(model, images, 0)
    with pytest.raises(TensorError, match=r"lime: expected more samples than the 49 feature groups without a ridge, got 49"):
        Lime(samples=49, ridge=0).attribute(model, images, 0)
