import pytest
import torch

import heatproof as hp
from heatproof.core.errors import SettingsError, UsageError
from heatproof.methods import ConstantMap, Gradient, Method, RandomMap, SmoothTaylor
from heatproof.metrics import Completeness, Metric, PerturbationCurve, PixelFlipping, Repeatability, Scores, TotalVariationCurve
from heatproof.metrics.scores import without_broken
from heatproof.models import Bounds, Model
from heatproof.numerics.similarity import pearson
from tests.support import zoo
from tests.unit.pictures.words import words


def test_a_missing_value_carries_its_reason() -> None:
    scores = Scores.of(torch.tensor([1.0, torch.nan]), missing="why")
    assert scores.notes == ("", "why")
    assert scores.error.isnan().all()


def test_broken_maps_blank_every_number_of_their_sample_and_no_other() -> None:
    scores = Scores.of(torch.ones(2), error=torch.ones(2), curve=torch.ones(2, 3), components={"x": torch.ones(2)})
    found = without_broken(scores, torch.tensor([[0.0], [torch.inf]]), torch.zeros(2, 4))
    assert torch.cat([found.values[1:], found.error[1:], found.curve[1], found.components["x"][1:]]).isnan().all()
    assert torch.cat([found.values[:1], found.error[:1], found.curve[0], found.components["x"][:1]]).eq(1).all()
    assert without_broken(scores, torch.zeros(2, 4)) is scores


def test_a_clean_score_of_zero_leaves_nothing_to_be_relative_to() -> None:
    net = zoo.planted()
    at = net.images(2, 24)
    found = PerturbationCurve(side=3, regions=2, draws=2).score(zoo.model(net), at, 1, net.oracle(at))
    assert found.values.isnan().all()
    assert found.notes[0].startswith("the clean score is zero")


def test_replacing_what_the_network_does_not_see_leaves_the_score_at_one() -> None:
    net = zoo.planted()
    at = net.images(2, 24)
    elsewhere = 1 - net.oracle(at)
    found = PerturbationCurve(side=3, regions=4, draws=2).score(zoo.model(net), at, 0, elsewhere)
    assert found.curve.tolist() == [pytest.approx([1.0] * 5, abs=1e-5)] * 2
    assert found.values.tolist() == pytest.approx([4.0] * 2, abs=1e-5)


def test_the_error_of_the_curve_is_the_spread_over_draws_of_one_step() -> None:
    """One region, so that nothing is carried forward: the stated error against the spread over seeds."""
    metric = PerturbationCurve(side=3, regions=1, draws=8, area_rule="trapezoid")
    net = zoo.planted()
    model, at = zoo.model(net, chunk=64), net.images(1, 24)
    runs = [metric.score(model, at, 0, net.oracle(at) + zoo.images(1, side=24) / 100, seed=seed) for seed in range(100)]
    values, errors = torch.cat([run.values for run in runs]), torch.cat([run.error for run in runs])
    assert (errors.square().mean().sqrt() / values.std()).item() == pytest.approx(1, abs=0.25)


@pytest.mark.parametrize("ranking", ["absolute", "signed"])
def test_a_signed_ranking_removes_relevance_against_the_class_last(ranking: str) -> None:
    """A linear network of tiles on black, whose exact map is w ⊙ x: its most positive tiles take most of the score with them."""
    tiles = zoo.normal(1, 1, 10, 10, seed=3) + 0.3
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(1600, 1, bias=False))
    network[1].weight.data = torch.nn.functional.interpolate(tiles, scale_factor=4).flatten(1)
    model, at = Model(network, Bounds.of(0, 1, channels=1), class_names=("no", "yes")), torch.ones(1, 1, 40, 40)
    exact = network[1].weight.data.view_as(at)
    order = (
        tiles.flatten().sort(descending=True).values
        if ranking == "signed"
        else tiles.flatten()[tiles.flatten().abs().argsort(descending=True)]
    )
    found = PerturbationCurve(side=4, regions=50, fill="black", ranking=ranking).score(model, at, None, exact)
    left = 1 - torch.cat([torch.zeros(1), order[:50].cumsum(0)]) / tiles.sum()
    torch.testing.assert_close(found.curve[0], left, rtol=1e-4, atol=1e-4)


def test_pixel_flipping_integrates_over_the_shares_that_were_replaced() -> None:
    """Of 3 × 3 pixels, 4 in the first of two steps and 5 in the second: f falls with the pixels of the map, all at first."""
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(9, 1, bias=False))
    network[1].weight.data = torch.tensor([[1.0, 1, 1, 1, 0, 0, 0, 0, 0]])
    at = torch.ones(1, 1, 3, 3)
    found = PixelFlipping(steps=2).score(
        Model(network, Bounds.of(0, 1, channels=1), class_names=("no", "yes")), at, None, at * network[1].weight.data.view_as(at)
    )
    assert found.curve.tolist() == [[1.0, 0.0, 0.0]]
    assert found.values.item() == pytest.approx(4 / 9 / 2)


def test_flipping_what_the_network_does_not_see_first_leaves_the_score_at_one() -> None:
    net = zoo.planted()
    at = net.images(2, 24)
    seen = (net.oracle(at) != 0).any(1).flatten(1).double().mean(1).max().item()
    found = PixelFlipping(steps=16, fill="black").score(zoo.model(net), at, 0, -net.oracle(at).abs())
    unseen = int((1 - seen) * 16)
    assert found.curve[:, : unseen + 1].tolist() == [pytest.approx([1.0] * (unseen + 1), abs=1e-5)] * 2
    assert (found.curve[:, -1] < 1).all()


def test_more_steps_than_pixels_are_refused() -> None:
    net = zoo.planted()
    at = net.images(1, 24)
    with pytest.raises(SettingsError, match="steps: expected at most as many as pixels, 576, got 577"):
        PixelFlipping(steps=577).score(zoo.model(net), at, 0, at)


def test_the_error_of_pixel_flipping_is_the_spread_over_fills() -> None:
    metric = PixelFlipping(steps=4, fill="uniform", draws=6)
    model, at, maps = zoo.model(zoo.Raised(zoo.residual(), 20), chunk=64), zoo.images(1, side=24), zoo.images(1, side=24, seed=3)
    runs = [metric.score(model, at, 0, maps, seed=seed) for seed in range(100)]
    values, errors = torch.cat([run.values for run in runs]), torch.cat([run.error for run in runs])
    assert (errors.square().mean().sqrt() / values.std()).item() == pytest.approx(1, abs=0.25)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: PerturbationCurve(fill="black", draws=3), "draws: expected 1, since black is the same at every draw, got 3"),
        (lambda: PixelFlipping(draws=2), "draws: expected 1, since zero is the same at every draw, got 2"),
        (lambda: Completeness(baseline="uniform"), "expected None or a fill that is not random, got uniform"),
        (lambda: TotalVariationCurve(factor=1.0), "factor: should be greater than 1"),
        (lambda: Repeatability(reliability=1.0), "reliability: should be less than 1"),
    ],
    ids=["draws of black", "draws of zero", "random baseline", "pyramid that never ends", "perfect reliability"],
)
def test_settings_that_cannot_be_are_refused(build: object, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        build()


def test_a_map_too_small_for_two_levels_is_refused_with_what_to_do() -> None:
    with pytest.raises(SettingsError, match=r"at least 2 pyramid levels, got \[24, 24\].*scaled=True"):
        TotalVariationCurve().score(zoo.images(1, side=24))


@pytest.mark.parametrize("size", [(32, 32), (64, 64), (96, 96), (224, 224), (300, 300), (1, 200), (4, 100)])
def test_a_scaled_pyramid_has_as_many_levels_at_every_size(size: tuple[int, int]) -> None:
    assert TotalVariationCurve(scaled=True).score(zoo.normal(1, 1, *size)).curve.shape == (1, 6)


@pytest.mark.parametrize(("side", "expected"), [(32, (2, 34)), (64, (4, 34)), (96, (6, 34)), (224, (15, 30))])
def test_scaled_regions_replace_the_published_share_of_pixels(side: int, expected: tuple[int, int]) -> None:
    k, count = PerturbationCurve(scaled=True).layout(side, side)
    assert (k, count) == expected
    assert count * k**2 / side**2 == pytest.approx(0.1345, abs=0.005)


def bound(method: Method, model: object) -> object:
    return lambda images, target, seed: method.attribute(model, images, target, seed=seed)


def test_spearman_brown_predicts_the_samples_that_reach_the_reliability() -> None:
    """More samples by the stated factor give a correlation of about 0.9."""
    model, images = zoo.model(zoo.smooth_conv(), chunk=64), zoo.images(6)
    few = SmoothTaylor(samples=60)
    factor = Repeatability().score(model, images, 0, bound(few, model)).components["samples_factor"].median().item()
    assert 1.5 < factor < 30
    many = SmoothTaylor(samples=round(60 * factor))
    a, b = (many.attribute(model, images, 0, seed=seed).map() for seed in (7, 8))
    assert pearson(a, b).median().item() == pytest.approx(0.9, abs=0.06)


def test_a_constant_map_has_no_repeatability_and_a_random_one_no_factor_where_it_is_negative() -> None:
    model, images = zoo.model(zoo.residual()), zoo.images(8)
    constant = Repeatability().score(model, images, 0, bound(ConstantMap(), model))
    assert constant.values.isnan().all()
    assert constant.notes == ("a constant map has no correlation",) * 8
    random = Repeatability().score(model, images, 0, bound(RandomMap(), model))
    assert torch.equal(random.components["samples_factor"].isnan(), random.values <= 0)


def test_completeness_of_a_method_without_a_claim_is_missing_with_a_reason() -> None:
    model, images = zoo.model(zoo.residual()), zoo.images(2)
    found = Completeness().score(model, images, 0, bound(RandomMap(), model))
    assert found.notes == ("the method states no expected sum, or the sum is zero",) * 2
    held = Metric.from_dict({"name": "completeness", "baseline": "black"}).score(model, images, 0, bound(RandomMap(), model))
    assert held.values.isfinite().all()


def test_scores_are_indexed_drawn_and_exported() -> None:
    model, images = zoo.model(zoo.residual()), zoo.images(3)
    scores = hp.score(PixelFlipping(steps=3), model, images, Gradient(), target=1)
    assert (len(scores), len(scores[0]), scores[1:].class_names) == (3, 1, ("class 1", "class 1"))
    assert scores[-1].curve is not None
    assert torch.equal(scores[-1].curve, scores.curve[2:])
    text = words(scores.picture())
    for part in ("of Gradient", "model · lower is better", "image 2: class 1", "steps", "score relative to the clean image"):
        assert part in text
    rows = scores.to_arrow().to_pylist()
    assert [row["value"] for row in rows] == pytest.approx(scores.values.tolist(), nan_ok=True)
    assert {row["method"] for row in rows} == {"Gradient"}
    assert scores._repr_html_().startswith("<img alt=")
    assert scores.numpy().shape == (3,)
    assert repr(scores).startswith(f"Scores({PixelFlipping.label} of Gradient, 3 images: ")


def test_the_figure_of_scores_says_why_there_is_none_and_counts_what_it_leaves_out() -> None:
    scores = Scores.of(torch.tensor([0.5] * 40 + [torch.nan] * 2), missing="the map is zero everywhere")
    assert "2 more not shown" in words(scores.picture())
    assert "the map is zero everywhere" in words(scores[40:].picture())


def test_further_maps_of_scores_are_drawn_by_name() -> None:
    scores = Scores.of(torch.zeros(2), maps={"head": zoo.images(2)})
    assert scores.heatmap()["head"].shape == (2, 8, 8, 3)
    assert scores[0].heatmap("l2")["head"].shape == (1, 8, 8, 3)
    with pytest.raises(UsageError, match="expected scores with further maps, got none; use the heatmap of the Attribution"):
        Scores.of(torch.zeros(2)).heatmap()
