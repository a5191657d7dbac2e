"""Metrics of map-independent deletions against their slow twins, and their values where these are known by hand."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

import heatproof as hp
from heatproof.core.errors import SettingsError
from heatproof.methods import SmoothGrad
from heatproof.metrics import FaithfulnessCorrelation, Infidelity, MaxSensitivity, Saco, SensitivityN, SingleDeletion
from heatproof.metrics.faithfulness.cell_metric import CellMetric
from heatproof.models import Bounds, Model
from heatproof.passes.counting import count_passes
from heatproof.perturb.draws import Draws, drawn_as
from heatproof.perturb.fills import Uniform, Zero
from heatproof.perturb.groups import Groups, RegularGrid, Slic
from tests.references import cell_metrics as slow
from tests.references.removal_curves import region_means
from tests.references.twin import twin_of
from tests.support import zoo

TARGET, SIDE, SEED, SAMPLES = 1, 12, 4, 7
GRID, SUPERPIXELS = RegularGrid(cells_per_axis=4), Slic(segments=9, sigma=2.0)
kinds = pytest.mark.parametrize("groups", [GRID, SUPERPIXELS], ids=["grid", "superpixels"])


@pytest.fixture(scope="module")
def model() -> Model:
    return zoo.model(zoo.residual(), dtype=torch.float64, chunk=5)


def rows() -> tuple[Tensor, Tensor]:
    return zoo.images(3, side=SIDE, dtype=torch.float64), zoo.images(3, side=SIDE, seed=3, dtype=torch.float64)


def cases(model: Model, groups: Groups) -> Iterator[tuple[slow.Score, Tensor, Tensor, Tensor, Draws]]:
    """The function, the image, the map, its cells and its random numbers, for each image."""
    for image, values in zip(*rows(), strict=True):
        own = Draws.for_images(SEED, image[None])

        def f(z: Tensor) -> float:
            with torch.no_grad(), model.running():
                return float(model.explained(model.outputs(z[None].clone()), torch.tensor([TARGET])))

        yield f, image, values, groups(image[None], model.bounds, own).ids[0, 0], own


def subsets(own: Draws, ids: Tensor, share: float) -> list[list[int]]:
    uniform = own.on_cpu().uniform(f"subsets of {share}", 0, (SAMPLES, int(ids.max()) + 1))[0]
    return [slow.random_subset(each, share) for each in uniform]


def fills(model: Model, image: Tensor, own: Draws) -> list[Tensor]:
    return [Uniform()(image[None], model.bounds, own, k)[0] for k in range(SAMPLES)]


@twin_of("sensitivity_n")
@kinds
def test_sensitivity_n_is_the_correlation_at_each_size(model: Model, groups: Groups) -> None:
    shares = (0.3, 0.7)
    found = SensitivityN(groups=groups, samples=SAMPLES, shares=shares, fill="uniform").score(model, *rows_at(), seed=SEED)
    for row, (f, image, values, ids, own) in enumerate(cases(model, groups)):
        expected = [
            slow.pearson(*slow.sums_and_drops(f, image, values, ids, fills(model, image, own), subsets(own, ids, share)))
            for share in shares
        ]
        assert found.curve[row].tolist() == pytest.approx(expected, abs=1e-9)
        assert found.values[row].item() == pytest.approx(sum(expected) / 2, abs=1e-9)


@twin_of("faithfulness_correlation")
@kinds
def test_faithfulness_correlation_is_one_point_of_it(model: Model, groups: Groups) -> None:
    metric = FaithfulnessCorrelation(groups=groups, samples=SAMPLES, share=0.4, fill="uniform")
    found = metric.score(model, *rows_at(), seed=SEED)
    expected = [
        slow.pearson(*slow.sums_and_drops(f, image, values, ids, fills(model, image, own), subsets(own, ids, 0.4)))
        for f, image, values, ids, own in cases(model, groups)
    ]
    assert found.values.tolist() == pytest.approx(expected, abs=1e-9)


@twin_of("infidelity")
@pytest.mark.parametrize("maps", ["contributions", "sensitivities"])
@kinds
def test_infidelity_is_the_least_mean_square_over_scales(model: Model, groups: Groups, maps: str) -> None:
    """Also of maps that predict the wrong signs: of them, no scale is better than zero."""
    metric = Infidelity(groups=groups, samples=SAMPLES, share=0.4, fill="uniform", maps=maps)
    at, target, values = rows_at()
    for sign in (1, -1):
        found = metric.score(model, at, target, sign * values, seed=SEED)
        for row, (f, image, own_map, ids, own) in enumerate(cases(model, groups)):
            chosen, replacements = subsets(own, ids, 0.4), fills(model, image, own)
            if maps == "contributions":
                pair = slow.sums_and_drops(f, image, sign * own_map, ids, replacements, chosen)
            else:
                changed = [image - slow.replaced(image, ids, *each) for each in zip(replacements, chosen, strict=True)]
                pair = slow.products_and_drops(f, image, sign * own_map, changed)
            assert found.values[row].item() == pytest.approx(slow.infidelity(*pair), abs=1e-9)


def test_infidelity_of_noise_multiplies_the_noise_by_the_map(model: Model) -> None:
    found = Infidelity(perturbation="noise", maps="sensitivities", samples=SAMPLES, sigma=0.2).score(model, *rows_at(), seed=SEED)
    lower, upper = (bound[:, None, None].double() for bound in (model.bounds.lower, model.bounds.upper))
    for row, (f, image, values, _, own) in enumerate(cases(model, GRID)):
        noise = [0.2 * (upper - lower) * own.normal("infidelity", k, image.shape)[0] for k in range(SAMPLES)]
        expected = slow.infidelity(*slow.products_and_drops(f, image, values, noise))
        assert found.values[row].item() == pytest.approx(expected, abs=1e-9)


@twin_of("saco")
@kinds
def test_saco_weighs_pairs_of_parts_by_their_difference_of_relevance(model: Model, groups: Groups) -> None:
    found = Saco(groups=groups, parts=3, fill="zero").score(model, *rows_at(), seed=SEED)
    for row, (f, image, values, ids, _) in enumerate(cases(model, groups)):
        means, m = region_means(values, ids), int(ids.max()) + 1
        order = sorted(range(m), key=lambda r: -means[r])
        parts = [[cell for place, cell in enumerate(order) if place * 3 // m == part] for part in range(3)]
        pair = slow.sums_and_drops(f, image, values, ids, [torch.zeros_like(image)] * 3, parts)
        assert found.values[row].item() == pytest.approx(slow.saco(*pair), abs=1e-9)


@twin_of("max_sensitivity")
def test_max_sensitivity_is_the_largest_change_over_the_samples(model: Model) -> None:
    at, method, lower, upper = rows()[0], SmoothGrad(samples=3), *model.bounds.like(rows()[0])
    found = hp.score(MaxSensitivity(samples=3, radius=0.1), model, at, method, target=TARGET, seed=SEED)
    for row, image in enumerate(at):
        own = Draws.for_images(SEED, image[None])
        clean = method.attribute(model, image[None], TARGET, seed=SEED).values
        changes = []
        for s in range(3):
            changed = image + 0.1 * (upper - lower)[0] * (2 * own.uniform("max sensitivity", s, image.shape)[0] - 1)
            with drawn_as(changed[None], image[None]):
                values = method.attribute_changed(model, changed[None], TARGET, seed=SEED).values
            changes.append(float((values - clean).norm() / clean.norm()))
        assert found.values[row].item() == pytest.approx(max(changes), rel=1e-9)
        assert found.components["mean"][row].item() == pytest.approx(sum(changes) / 3, rel=1e-9)


def test_an_image_that_is_not_changed_has_the_same_map(model: Model) -> None:
    found = hp.score(MaxSensitivity(samples=2, radius=0), model, rows()[0], SmoothGrad(samples=3), target=TARGET)
    assert found.values.tolist() == [0, 0, 0]
    linear = hp.score(MaxSensitivity(samples=2), additive()[0], additive()[1], "gradient")
    assert linear.values.tolist() == [0, 0], "a linear network has one gradient"


def test_saco_of_an_additive_network_counts_the_claims_that_hold() -> None:
    """Effects 1, 2, 3: of the map 3, 2, 1 none holds; of 1, 3, 2 the claims over 1 hold, 1 + 2 of 4, and one of 1 does not."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(3, 1, bias=False))
    network[1].weight.data = torch.tensor([[1.0, 2.0, 3.0]])
    model, at = Model(network, Bounds.of(0, 1, channels=1)), torch.ones(1, 1, 1, 3)
    metric = Saco(parts=3, fill="zero")
    for values, expected in (([1.0, 2.0, 3.0], 1.0), ([3.0, 2.0, 1.0], -1.0), ([1.0, 3.0, 2.0], 0.5)):
        assert metric.score(model, at, None, torch.tensor(values).view_as(at)).values.item() == pytest.approx(expected)
    network[1].weight.data = torch.zeros(1, 3)
    assert metric.score(model, at, None, at.cumsum(3)).values.item() == 0, "equal effects prove nothing"


def rows_at() -> tuple[Tensor, int, Tensor]:
    return rows()[0], TARGET, rows()[1]


# --- known by hand ---------------------------------------------------------------------------------------------------------


def additive(n: int = 16) -> tuple[Model, Tensor, Tensor, Tensor]:
    """A linear network of a row of pixels, two images, and the exact maps of contributions and of sensitivities."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(n, 1))
    network[1].weight.data = zoo.normal(1, n, seed=3)
    images = zoo.normal(2, 1, 1, n, seed=5)
    sensitivities = network[1].weight.data.view(1, 1, 1, n).expand(2, 1, 1, n)
    return Model(network, Bounds.of(-4, 4, channels=1)), images, sensitivities * images, sensitivities


CELLS = RegularGrid(cells_per_axis=8)
EXACT = {
    "sensitivity_n": SensitivityN(groups=CELLS, samples=10),
    "faithfulness_correlation": FaithfulnessCorrelation(groups=CELLS, samples=10),
    "saco": Saco(groups=CELLS, parts=8, fill="zero"),
    "subsets": Infidelity(groups=CELLS, samples=10),
    "cells": Infidelity(groups=CELLS, perturbation="cells"),
    "sensitivities": Infidelity(groups=CELLS, samples=10, maps="sensitivities"),
    "noise": Infidelity(perturbation="noise", maps="sensitivities", samples=10),
}


@pytest.mark.parametrize("name", EXACT)
def test_the_exact_map_of_a_linear_network_is_perfect_and_the_other_kind_of_map_is_not(name: str) -> None:
    model, images, contributions, sensitivities = additive()
    metric = EXACT[name]
    of_gradients = isinstance(metric, Infidelity) and metric.maps == "sensitivities"
    exact, other = (sensitivities, contributions) if of_gradients else (contributions, sensitivities)
    best = 0.0 if isinstance(metric, Infidelity) else 1.0
    assert metric.score(model, images, None, 3 * exact).values.tolist() == pytest.approx([best] * 2, abs=1e-5)
    assert (metric.score(model, images, None, other).values - best).abs().min() > 0.05


@pytest.mark.parametrize("name", ["sensitivity_n", "faithfulness_correlation", "saco", "subsets"])
def test_a_random_map_scores_chance(name: str) -> None:
    """Correlations have expectation 0; of infidelity, half of the maps have the wrong sign, and one in n of the rest is chance."""
    model, images, _, _ = additive()
    metric, images = EXACT[name], images[:1].expand(400, -1, -1, -1) + torch.arange(400.0).view(-1, 1, 1, 1) / 1e5
    found = metric.score(model, images, None, zoo.normal(400, 1, 1, 16, seed=8)).values
    chance = 1 - 0.5 / 5 if name == "subsets" else 0.0
    assert abs(found.mean() - chance) < (0.08 if name == "subsets" else 4 * found.std() / 20)
    assert found.std() > 0.05


def passes_of(metric: CellMetric, model: Model, images: Tensor, maps: Tensor) -> int:
    with count_passes() as passes:
        metric.score(model, images, 0, maps)
    return passes.forward


def test_metrics_with_the_same_deletions_share_their_passes() -> None:
    model, images, maps = zoo.model(zoo.residual()), zoo.images(2, side=SIDE), zoo.images(2, side=SIDE, seed=3)
    one_map = 2
    passes_of(SingleDeletion(groups=GRID), model, images, maps)
    assert passes_of(Infidelity(groups=GRID, perturbation="cells"), model, images, maps) == one_map
    points = SensitivityN(groups=GRID, shares=(0.25, 0.5), samples=9)
    assert passes_of(points, model, images, maps) == one_map + 2 * 2 * 9
    for metric in (points, FaithfulnessCorrelation(groups=GRID, share=0.5, samples=9), Infidelity(groups=GRID, samples=9)):
        assert passes_of(metric, model, images, maps.flip(0)) == one_map
    assert passes_of(Infidelity(groups=GRID, samples=9, output="probability"), model, images, maps) == one_map + 2 * 9


def test_what_changes_nothing_beyond_rounding_is_no_drop() -> None:
    """A network that looks at no cell but one, which no subset holds: correlations of rounding would look like findings."""
    model = zoo.model(zoo.Raised(zoo.Linear((3, SIDE, SIDE)), by=1e6))
    with torch.no_grad():
        model.module.network.weight.mul_(1e-9)
    at, maps = zoo.images(2, side=SIDE), zoo.images(2, side=SIDE, seed=3)
    for metric in (SensitivityN(groups=GRID, samples=5), FaithfulnessCorrelation(groups=GRID, samples=5), Infidelity(groups=GRID)):
        found = metric.score(model, at, 0, maps)
        assert found.values.isnan().all()
        assert all(found.notes)


def test_contributions_of_noise_are_refused() -> None:
    with pytest.raises(SettingsError, match="maps: expected sensitivities with perturbation noise"):
        Infidelity(perturbation="noise")


def test_a_map_of_zeros_predicts_nothing() -> None:
    model, images, contributions, _ = additive()
    assert Infidelity(fill=Zero(), groups=CELLS).score(model, images, None, 0 * contributions).values.tolist() == [1, 1]
