"""Metrics of removal curves against their slow twins, and their values where these are known by hand."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from heatproof.core.errors import SettingsError
from heatproof.methods import BlurredMap, CentreMap, Gradient
from heatproof.metrics import Aopc, Irof, OutOfDistribution, PixelFlipping, SingleDeletion, SymmetricRelevanceGain
from heatproof.metrics.faithfulness.aopc_limits import aopc_limits
from heatproof.metrics.faithfulness.removal_metric import RemovalMetric
from heatproof.models import Bounds, Model
from heatproof.numerics.blur import relative_blur
from heatproof.passes.counting import count_passes
from heatproof.perturb.draws import Draws
from heatproof.perturb.fills import Fill, Reference, Uniform, Zero
from heatproof.perturb.groups import Groups, Patches, RegularGrid, Slic
from heatproof.tracing.capture import site_of
from tests.references import removal_curves as slow
from tests.references.twin import twin_of
from tests.support import zoo
from tests.support.close import assert_close

TARGET, SIDE, SEED = 1, 12, 4
GRID, SUPERPIXELS = RegularGrid(cells_per_axis=4), Slic(segments=9, sigma=2.0)


@pytest.fixture(scope="module")
def model() -> Model:
    return zoo.model(zoo.Raised(zoo.residual(), by=20.0), dtype=torch.float64, chunk=7)


def cases(model: Model, groups: Groups, fill: Fill) -> Iterator[tuple[slow.Score, Tensor, Tensor, Tensor, Tensor]]:
    """The function, the image, the map, its regions and the draw of the fill, for each image."""
    images, maps = rows()
    for image, values in zip(images, maps, strict=True):
        own = Draws.for_images(SEED, image[None])
        ids = groups(image[None], model.bounds, own).ids[0, 0]

        def f(z: Tensor) -> float:
            with torch.no_grad(), model.running():
                return float(model.explained(model.outputs(z[None].clone()), torch.tensor([TARGET])))

        yield f, image, values, ids, fill(image[None], model.bounds, own, 0)[0]


def rows() -> tuple[Tensor, Tensor]:
    return zoo.images(3, side=SIDE, dtype=torch.float64), zoo.images(3, side=SIDE, seed=3, dtype=torch.float64)


@twin_of("aopc")
@pytest.mark.parametrize("groups", [Patches(side=4), SUPERPIXELS], ids=["patches", "superpixels"])
def test_aopc_is_the_mean_drop(model: Model, groups: Groups) -> None:
    found = Aopc(groups=groups, steps=3, share=0.6).score(model, rows()[0], TARGET, rows()[1], seed=SEED)
    expected = [slow.aopc(*case, steps=3, share=0.6) for case in cases(model, groups, Uniform())]
    assert found.values.tolist() == pytest.approx(expected, rel=1e-9)


@twin_of("aopc")
def test_normalised_aopc_is_its_place_between_the_areas_of_all_orders(model: Model) -> None:
    """A beam as wide as there are sets misses none. A beam of one set is greedy, and its limits are no wider."""
    groups, share = RegularGrid(cells_per_axis=2), 0.75
    plain, exact, greedy = (
        Aopc(groups=groups, share=share, **more).score(model, rows()[0], TARGET, rows()[1], seed=SEED)
        for more in ({}, {"normalised": True, "beam": 6}, {"normalised": True, "beam": 1})
    )
    for row, (f, image, _, ids, fill) in enumerate(cases(model, groups, Uniform())):
        lower, upper = slow.aopc_limits(f, image, ids, fill, share)
        area = plain.values[row].item()
        assert exact.values[row].item() == pytest.approx((area - lower) / (upper - lower), rel=1e-8)
    inputs, _, steps = Aopc(groups=groups, share=share).prepared(model, rows()[0], torch.full((3,), TARGET), rows()[1], SEED)
    wide, narrow = (aopc_limits(inputs, inputs.clean(), steps, beam, 1) for beam in (6, 1))
    assert (wide[..., 0] <= narrow[..., 0] + 1e-12).all()
    assert (wide[..., 1] >= narrow[..., 1] - 1e-12).all()
    assert greedy.values.isfinite().all()


def test_a_wider_beam_finds_regions_that_matter_together() -> None:
    """Of two values the larger one counts: no single deletion shows it, so that a beam of one set deletes what matters less."""

    class Larger(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            a, b, c, d = x.flatten(1).unbind(1)
            return (1 + 5 * torch.maximum(a, b) + c / 10 + d / 5)[:, None]

    model, at = zoo.model(Larger(), channels=1), torch.ones(1, 1, 1, 4)
    metric = Aopc(groups=Patches(side=1), share=0.5, fill="zero")
    inputs, _, steps = metric.prepared(model, at, torch.tensor([-1]), at, SEED)
    found = [aopc_limits(inputs, inputs.clean(), steps, beam, 1).flatten().tolist() for beam in (1, 6)]
    assert found == [pytest.approx([0.1 / 3, 0.5 / 3], abs=1e-6), pytest.approx([0.1 / 3, 5 / 3], abs=1e-6)]


def test_the_exact_map_of_an_additive_network_reaches_the_upper_limit_and_its_negative_the_lower_one() -> None:
    model, at, exact = additive(5.0, 3.0, 1.0, -2.0)
    metric = Aopc(groups=Patches(side=1), share=0.5, fill="zero", normalised=True, beam=1)
    assert metric.score(model, at, None, exact).values.item() == pytest.approx(1, abs=1e-6)
    assert metric.score(model, at, None, -exact).values.item() == pytest.approx(0, abs=1e-6)
    same = metric.score(*additive(2.0, 2.0)[:2], None, torch.tensor([1.0, 0.0]).view(1, 1, 1, 2))
    assert same.values.isnan().all()
    assert "all orders" in same.notes[0]
    with pytest.raises(SettingsError, match="steps: expected one for each region with normalised"):
        Aopc(normalised=True, steps=3)


@twin_of("irof")
@pytest.mark.parametrize("groups", [GRID, SUPERPIXELS], ids=["grid", "superpixels"])
def test_irof_is_the_area_over_the_curve(model: Model, groups: Groups) -> None:
    found = Irof(groups=groups, steps=5, fill="zero").score(model, rows()[0], TARGET, rows()[1], seed=SEED)
    expected = [slow.irof(*case, steps=5) for case in cases(model, groups, Zero())]
    assert found.values.tolist() == pytest.approx(expected, rel=1e-9)


@twin_of("symmetric_relevance_gain")
@pytest.mark.parametrize("share", [0.5, 1.0])
@pytest.mark.parametrize("groups", [GRID, SUPERPIXELS], ids=["grid", "superpixels"])
def test_symmetric_relevance_gain_is_the_area_between_both_orders(model: Model, groups: Groups, share: float) -> None:
    metric = SymmetricRelevanceGain(groups=groups, steps=4, share=share)
    found = metric.score(model, rows()[0], TARGET, rows()[1], seed=SEED)
    for row, case in enumerate(cases(model, groups, Uniform())):
        value, curve = slow.symmetric_relevance_gain(*case, steps=4, share=share)
        assert found.values[row].item() == pytest.approx(value, rel=1e-8)
        assert found.curve[row].tolist() == pytest.approx(curve, rel=1e-9)


@twin_of("single_deletion")
@pytest.mark.parametrize("groups", [GRID, SUPERPIXELS], ids=["grid", "superpixels"])
def test_single_deletion_is_the_rank_correlation_of_sums_and_drops(model: Model, groups: Groups) -> None:
    found = SingleDeletion(groups=groups).score(model, rows()[0], TARGET, rows()[1], seed=SEED)
    expected = [slow.single_deletion(*case) for case in cases(model, groups, Zero())]
    assert found.values.tolist() == pytest.approx(expected, abs=1e-12)


@twin_of("out_of_distribution")
@pytest.mark.parametrize(
    "removal", [SymmetricRelevanceGain(groups=GRID, steps=3), PixelFlipping(groups=GRID, steps=4, fill="uniform", draws=2)]
)
def test_out_of_distribution_is_the_distance_to_the_nearest_real_image(model: Model, removal: RemovalMetric) -> None:
    """One changed image at a time; the features by a hook. The first image is a real one, and no neighbour of itself."""
    images, maps = rows()
    real = torch.cat([images[:1], zoo.images(4, side=SIDE, seed=9, dtype=torch.float64)])
    metric = OutOfDistribution(references=Reference(images=real), removal=removal)
    found = metric.score(model, images, TARGET, maps, seed=SEED)

    def seen(z: Tensor) -> tuple[Tensor, float]:
        kept: list[Tensor] = []
        handle = model.module.get_submodule(site_of(model, images).name).register_forward_hook(lambda *args: kept.append(args[2]))
        with torch.no_grad(), model.running():
            outputs = model.outputs(z[None].clone())
        handle.remove()
        return kept[-1].mean((2, 3))[0], float(outputs.softmax(1).max())

    of_real = [seen(each)[0] for each in real]
    nearest = [min(float((a - b).norm()) for j, b in enumerate(of_real) if j != i) for i, a in enumerate(of_real)]
    unit = sorted(nearest)[2]
    for row, (image, values) in enumerate(zip(images, maps, strict=True)):
        own = Draws.for_images(SEED, image[None])
        ids = GRID(image[None], model.bounds, own).ids[0, 0]
        order, counts = slow.orders_and_counts(values, ids, removal.n_steps((3, SIDE, SIDE)), removal.share)
        distances, confidences = [], []
        for draw in range(removal.fills):
            fill = removal.fill(image[None], model.bounds, own, draw)[0]
            for each in (order[::-1], order) if len(removal.orders) == 2 else (order,):
                for count in counts[1:]:
                    inside = torch.isin(ids, torch.tensor(each[:count]))
                    features, confidence = seen(torch.where(inside, fill, image))
                    others = [r for j, r in enumerate(of_real) if not torch.equal(real[j], image)]
                    distances.append(min(float((features - r).norm()) for r in others) / unit)
                    confidences.append(confidence)
        assert found.values[row].item() == pytest.approx(sum(distances) / len(distances), rel=1e-8)
        assert found.components["confidence"][row].item() == pytest.approx(sum(confidences) / len(confidences), rel=1e-8)
        assert found.components["clean_confidence"][row].item() == pytest.approx(seen(image)[1], rel=1e-8)
    assert (found.curve[:, 0] == found.components["clean"]).all()


def test_without_real_images_only_the_confidence_is_measured(model: Model) -> None:
    found = OutOfDistribution().score(model, rows()[0], TARGET, rows()[1])
    assert found.values.isnan().all()
    assert all("give references" in note for note in found.notes)
    assert found.components["confidence"].isfinite().all()


@twin_of("centre_map")
def test_the_centre_map_is_a_gaussian_of_every_axis() -> None:
    values = CentreMap(sigma=0.2).attribute(zoo.model(zoo.residual()), zoo.images(2), 0).values
    at = [((i + 0.5) / 8 - 0.5) / 0.2 for i in range(8)]
    expected = torch.tensor([[2.718281828459045 ** (-0.5 * (a * a + b * b)) for b in at] for a in at])
    assert_close(values, expected.expand(2, 3, 8, 8), 1e-6)


@twin_of("blurred_map")
def test_a_blurred_map_is_the_map_of_its_method_blurred() -> None:
    model, images = zoo.model(zoo.residual()), zoo.images(2)
    expected = relative_blur(Gradient().attribute(model, images, 0).values, 0.1)
    assert_close(BlurredMap(method="gradient", sigma=0.1).attribute(model, images, 0).values, expected, 0)


# --- known by hand ---------------------------------------------------------------------------------------------------------


def additive(*weights: float) -> tuple[Model, Tensor, Tensor]:
    """A network that adds the values of a row of pixels, each times a weight, at an image of ones; and its exact map."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(len(weights), 1, bias=False))
    network[1].weight.data = torch.tensor([weights])
    at = torch.ones(1, 1, 1, len(weights))
    return Model(network, Bounds.of(0, 1, channels=1)), at, torch.tensor(weights).view_as(at)


@pytest.mark.parametrize(
    ("weights", "deletion", "insertion"),
    [((7.0, 3.0), 0.4, 0.6), ((17.0, 8.0), 0.41, 0.59), ((3.0, 1.0, 0.0, 0.0), 0.1875, 0.8125)],
)
def test_deletion_and_insertion_of_an_additive_network(weights: tuple[float, ...], deletion: float, insertion: float) -> None:
    """Of two pixels of shares p ≥ q, deletion leaves 1, q, 0 and insertion 0, p, 1: areas of (1 + 2 q) / 4 and (1 + 2 p) / 4."""
    model, at, exact = additive(*weights)
    for mode, expected in (("deletion", deletion), ("insertion", insertion)):
        found = PixelFlipping(steps=None, mode=mode).score(model, at, None, exact)
        assert found.values.item() == pytest.approx(expected, abs=1e-6)


def test_the_curves_of_an_additive_network_are_summaries_of_one_another() -> None:
    """Deletion over the same regions: IROF is what it leaves, AOPC the mean of its drops, SRG the gap of its two orders."""
    model, at, exact = additive(5.0, 3.0, 1.0, 1.0)
    same = {"groups": Patches(side=1), "share": 1.0, "fill": "zero", "steps": None}
    most, least = (PixelFlipping(order=order, **same).score(model, at, None, exact) for order in ("most", "least"))
    irof, gain = (metric(**same, draws=None).score(model, at, None, exact) for metric in (Irof, SymmetricRelevanceGain))
    aopc = Aopc(**same, draws=None).score(model, at, None, exact)
    assert most.curve.tolist() == [pytest.approx([1, 0.5, 0.2, 0.1, 0], abs=1e-6)]
    assert irof.values.item() == pytest.approx(1 - most.values.item(), abs=1e-6)
    assert gain.values.item() == pytest.approx((least.values - most.values).item(), abs=1e-6)
    assert gain.curve.tolist() == [pytest.approx([*least.curve[0].tolist()[::-1], *most.curve[0].tolist()[1:]], abs=1e-6)]
    assert aopc.values.item() == pytest.approx(10 * (1 - most.curve.mean().item()), abs=1e-5)


def test_a_random_ranking_gains_nothing_on_average() -> None:
    model, at, _ = additive(*torch.arange(1.0, 17.0).tolist())
    metric = SymmetricRelevanceGain(groups=Patches(side=1), fill="zero", draws=None)
    images = at.expand(300, 1, 1, 16) + torch.arange(300.0).view(-1, 1, 1, 1) / 1e6  # each with draws of its own
    gain = metric.score(model, images, None, torch.ones_like(images)).values
    assert abs(gain.mean()) < 4 * gain.std() / 300**0.5
    assert gain.std() > 0.05


def test_single_deletions_are_computed_once_for_all_methods() -> None:
    model, images = zoo.model(zoo.residual()), zoo.images(2, side=SIDE)
    rows = []
    for seed in range(3):
        with count_passes() as passes:
            SingleDeletion().score(model, images, 0, zoo.images(2, side=SIDE, seed=seed))
        rows.append(passes.forward)
    assert rows[0] - rows[1] == 2 * 16
    assert rows[1] == rows[2]
    with torch.no_grad():
        next(model.module.parameters()).mul_(1.5)
    with count_passes() as passes:
        SingleDeletion().score(model, images, 0, images)
    assert passes.forward == rows[0], "other weights, other drops"


def test_an_image_of_one_region_is_not_ranked_and_says_so() -> None:
    model, images = zoo.model(zoo.Raised(zoo.residual(), by=20.0)), zoo.images(2, side=SIDE)
    found = SymmetricRelevanceGain(groups=RegularGrid(cells_per_axis=1)).score(model, images, 0, images)
    assert found.values.isnan().all()
    assert found.notes == ("the image is one region, which leaves nothing to rank",) * 2


@pytest.mark.parametrize("metric", [Irof, SingleDeletion])
def test_regions_of_single_channels_are_refused(metric: type) -> None:
    with pytest.raises(SettingsError, match="groups: expected regions that hold all channels"):
        metric(groups=RegularGrid(channels="each"))


def test_more_steps_than_regions_are_refused() -> None:
    model, images = zoo.model(zoo.residual()), zoo.images(1, side=SIDE)
    with pytest.raises(SettingsError, match="steps: expected at most as many as regions that are replaced, 8, got 9"):
        SymmetricRelevanceGain(groups=GRID, steps=9).score(model, images, 0, images)
