"""Each fast formula against its slow twin."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, sobel
from scipy.stats import spearmanr
from skimage.transform import pyramid_gaussian, resize
from torch import Tensor

from heatproof.methods import EdgeMap, ExpectedGradients, Gradient, InputXGradient, IntegratedGradients, SmoothGrad, SmoothTaylor
from heatproof.metrics import (
    BestOverlap,
    EnergyInMask,
    PerturbationCurve,
    PixelFlipping,
    PointingGame,
    RegionAuc,
    RegionMetric,
    RelevanceMass,
    RelevanceRank,
    SignChanges,
    SimilarityTo,
    TopIntersection,
    TotalVariationCurve,
    TruthCorrelation,
)
from heatproof.models import Model
from heatproof.numerics.area import AreaRule, area, area_weights
from heatproof.numerics.blur import gaussian_blur
from heatproof.numerics.normalise import percentile_scale
from heatproof.numerics.pyramid import pyramid
from heatproof.numerics.quadrature import GaussLegendre, LeftRiemann, Midpoint, Quadrature, RightRiemann, Trapezoid
from heatproof.numerics.running_moments import RunningMoments
from heatproof.numerics.total_variation import average_total_variation
from heatproof.passes.path_gradients import CACHED_GRADIENTS, Accuracy
from heatproof.perturb.draws import Draws
from heatproof.perturb.fills import Black, Blurred, Fill, Reference, Uniform
from heatproof.perturb.masks.regions import rank_regions
from heatproof.perturb.noises import Gaussian
from tests.references import gradients as slow
from tests.references import localisation
from tests.references import similarity as slow_similarity
from tests.references import total_variation_curve as slow_tvc
from tests.references.adaptive_path import adaptive_integrated_gradients
from tests.references.perturbation_curve import area_of, perturbation_curve
from tests.references.pixel_flipping import pixel_flipping
from tests.references.region_ranking import rank_regions as slow_rank_regions
from tests.references.twin import twin_of
from tests.support import zoo
from tests.support.close import assert_close

TIGHT = 1e-12
TARGET = 1


@pytest.fixture(scope="module", params=["residual", "smooth"])
def model(request: pytest.FixtureRequest) -> Model:
    return zoo.model(zoo.NETWORKS[request.param]().eval(), dtype=torch.float64, chunk=7)


@pytest.fixture(scope="module")
def images() -> Tensor:
    return zoo.images(2, dtype=torch.float64)


def scalar(model: Model) -> Callable[[Tensor], Tensor]:
    return lambda image: model.module(image[None])[0, TARGET]


def each(images: Tensor, explain: Callable[[Tensor, Draws], Tensor]) -> Tensor:
    """Image by image, with the draws that belong to it under seed 4."""
    return torch.stack([explain(image, Draws.for_images(4, image[None])) for image in images])


# --- methods ---------------------------------------------------------------------------------------------------------------


@twin_of("gradient")
def test_gradient(model: Model, images: Tensor) -> None:
    f = scalar(model)
    assert_close(Gradient().attribute(model, images, TARGET).values, each(images, lambda x, _: slow.gradient(f, x)), TIGHT)


@twin_of("input_x_gradient")
def test_input_x_gradient(model: Model, images: Tensor) -> None:
    f = scalar(model)
    expected = each(images, lambda x, _: x * slow.gradient(f, x))
    assert_close(InputXGradient().attribute(model, images, TARGET).values, expected, TIGHT)


@twin_of("integrated_gradients")
@pytest.mark.parametrize("rule", [GaussLegendre, LeftRiemann, Midpoint, RightRiemann, Trapezoid], ids=lambda rule: rule.name)
def test_integrated_gradients_follow_equation_1(model: Model, images: Tensor, rule: type[Quadrature]) -> None:
    quadrature = rule(steps=6)
    black = model.bounds.lower.double().view(3, 1, 1)
    nodes, weights = (v.tolist() for v in quadrature.nodes())
    expected = each(images, lambda x, _: slow.eq_1_integrated_gradients(scalar(model), x, black.expand_as(x), nodes, weights))
    assert_close(IntegratedGradients(quadrature=quadrature).attribute(model, images, TARGET).values, expected, TIGHT)


@pytest.mark.parametrize(
    ("baselines", "gap", "error", "steps"),
    [(1, 0.05, None, 500), (1, 1e-7, None, 200), (3, 0.01, None, 33), (2, 1e-9, None, 2), (1, None, 0.02, 60), (2, 1e-3, 0.05, 40)],
)
def test_integrated_gradients_to_a_tolerance(
    model: Model, images: Tensor, baselines: int, gap: float | None, error: float | None, steps: int
) -> None:
    fill = Uniform() if baselines > 1 else Black()
    found = IntegratedGradients(
        baseline=fill, baselines=baselines, tolerance=gap, map_tolerance=error, quadrature=GaussLegendre(steps=steps)
    ).attribute(model, images, TARGET, seed=4)
    nodes = Accuracy(gap, error, baselines * steps).nodes(CACHED_GRADIENTS)
    for i, image in enumerate(images):
        draws = Draws.for_images(4, image[None])
        starts = [fill(image[None], model.bounds, draws, n)[0] for n in range(baselines)]
        expected, used = adaptive_integrated_gradients(scalar(model), image, starts, gap, error, nodes)
        assert found.probes[i] == used
        assert_close(found.values[i], expected, 1e-10)


def test_integrated_gradients_with_the_right_riemann_rule_follow_equation_3(model: Model, images: Tensor) -> None:
    black = model.bounds.lower.double().view(3, 1, 1)
    expected = each(images, lambda x, _: slow.eq_3_integrated_gradients_right_riemann(scalar(model), x, black.expand_as(x), 9))
    method = IntegratedGradients(quadrature=RightRiemann(steps=9))
    assert_close(method.attribute(model, images, TARGET).values, expected, TIGHT)


def test_integrated_gradients_from_noise_are_the_mean_over_baselines(model: Model, images: Tensor) -> None:
    def mean(x: Tensor, draws: Draws) -> Tensor:
        starts = [Uniform()(x[None], model.bounds, draws, n)[0] for n in range(3)]
        return slow.sum_of([slow.eq_3_integrated_gradients_right_riemann(scalar(model), x, b, 4) for b in starts]) / 3

    method = IntegratedGradients(baseline=Uniform(), baselines=3, quadrature=RightRiemann(steps=4))
    assert_close(method.attribute(model, images, TARGET, seed=4).values, each(images, mean), TIGHT)


@twin_of("expected_gradients")
@pytest.mark.parametrize("baseline", [Uniform(), Reference(images=zoo.images(4, seed=9))], ids=["uniform", "references"])
def test_expected_gradients(model: Model, images: Tensor, baseline: Uniform | Reference) -> None:
    def mean(x: Tensor, draws: Draws) -> Tensor:
        starts = [baseline(x[None], model.bounds, draws, n)[0] for n in range(3) for _ in range(2)]
        alphas = [(k % 2 + draws.uniform("alpha", k, ()).item()) / 2 for k in range(6)]
        return slow.expected_gradients(scalar(model), x, starts, alphas)

    method = ExpectedGradients(baseline=baseline, baselines=3, strata=2)
    assert_close(method.attribute(model, images, TARGET, seed=4).values, each(images, mean), TIGHT)


NOISES = {
    "absolute": Gaussian(sigma=0.4, relative_to="absolute"),
    "of the image": Gaussian(sigma=0.2),
    "of the bounds": Gaussian(sigma=0.2, relative_to="bounds"),
    "antithetic": Gaussian(sigma=0.4, antithetic=True),
}


@twin_of("smooth_grad")
@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES.keys())
@pytest.mark.parametrize(
    ("moment", "twin"), [("mean", slow.smooth_grad), ("square", slow.smooth_grad_squared), ("variance", slow.var_grad)]
)
def test_smooth_grad(model: Model, images: Tensor, noise: Gaussian, moment: str, twin: Callable[..., Tensor]) -> None:
    def explain(x: Tensor, draws: Draws) -> Tensor:
        return twin(scalar(model), x, [noise(x[None], model.bounds, draws, k)[0] for k in range(6)])

    method = SmoothGrad(noise=noise, samples=6, moment=moment)
    assert_close(method.attribute(model, images, TARGET, seed=4).values, each(images, explain), 1e-10)


@twin_of("smooth_taylor")
@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES.keys())
def test_smooth_taylor_follows_equation_6(model: Model, images: Tensor, noise: Gaussian) -> None:
    def explain(x: Tensor, draws: Draws) -> Tensor:
        return slow.eq_6_smooth_taylor(scalar(model), x, [x + noise(x[None], model.bounds, draws, k)[0] for k in range(6)])

    method = SmoothTaylor(noise=noise, samples=6)
    assert_close(method.attribute(model, images, TARGET, seed=4).values, each(images, explain), TIGHT)


def test_noise_is_scaled_by_the_range_of_each_image_or_of_the_bounds(model: Model, images: Tensor) -> None:
    draws = Draws.for_images(0, images)
    absolute = Gaussian(sigma=1, relative_to="absolute")(images, model.bounds, draws, 3)
    of_image = Gaussian(sigma=0.15)(images, model.bounds, draws, 3)
    of_bounds = Gaussian(sigma=0.15, relative_to="bounds")(images, model.bounds, draws, 3)
    for row, image in enumerate(images):
        assert_close(of_image[row], 0.15 * (image.max() - image.min()) * absolute[row], 1e-6)
        for channel in range(3):
            width = model.bounds.upper[channel] - model.bounds.lower[channel]
            assert_close(of_bounds[row, channel], 0.15 * width.double() * absolute[row, channel], 1e-6)


@twin_of("edge_map")
def test_edge_map_is_the_length_of_the_sobel_gradient(model: Model, images: Tensor) -> None:
    pixels = model.bounds.to_pixels(images).numpy()
    expected = np.stack([[np.hypot(*(sobel(c, axis, mode="nearest") / 8 for axis in (0, 1))) for c in image] for image in pixels])
    assert_close(EdgeMap().attribute(model, images, TARGET).values, torch.from_numpy(expected), 1e-10)


def test_streamed_variance_is_the_two_pass_variance() -> None:
    rows = [1e6 + zoo.normal(4, 5, seed=i, dtype=torch.float64) for i in range(9)]
    first, second = (
        RunningMoments.like(torch.zeros(1, 4, 5, dtype=torch.float64)),
        RunningMoments.like(torch.zeros(1, 4, 5, dtype=torch.float64)),
    )
    for i, row in enumerate(rows):
        (first if i % 3 else second).add(0, row)
    assert_close(first.merge(second).variance[0], slow.two_pass_variance(rows), 1e-9)
    assert_close(first.merge(second).mean[0], slow.sum_of(rows) / 9, TIGHT)


# --- regions and the perturbation curve ------------------------------------------------------------------------------------


@pytest.mark.parametrize("skip_last", [False, True], ids=["all corners", "published corners"])
@pytest.mark.parametrize(("h", "w", "side", "count"), [(12, 12, 3, 6), (9, 14, 2, 10), (10, 8, 1, 20)])
def test_regions_are_ranked_greedily(h: int, w: int, side: int, count: int, skip_last: bool) -> None:
    maps = torch.stack([zoo.normal(1, h, w, seed=seed) for seed in range(4)])
    found = rank_regions(maps, Draws.for_images(0, maps), side=side, count=count, skip_last=skip_last)
    for row in range(4):
        assert found[row].tolist() == [list(c) for c in slow_rank_regions(maps[row, 0].numpy(), side, count, skip_last=skip_last)]


def test_the_least_relevant_first_is_the_greedy_ranking_upside_down() -> None:
    maps = 1 + zoo.images(3, channels=1, side=10).abs()
    found = rank_regions(maps, Draws.for_images(0, maps), side=3, count=4, most_relevant_first=False)
    mean = torch.nn.functional.avg_pool2d(maps.double(), 3, 1)
    flipped = rank_regions((mean.max() - mean).float(), Draws.for_images(0, maps), side=1, count=1)
    assert found[:, 0].tolist() == flipped[:, 0].tolist()


@twin_of("perturbation_curve")
@pytest.mark.parametrize(("paths", "candidates"), [(1, 1), (1, 5), (1, 6), (3, 1), (2, 3)])
@pytest.mark.parametrize(("corners", "ranking"), [("all", "signed"), ("published", "absolute")])
@pytest.mark.parametrize("regions", [4, 5], ids=["five points", "six points"])
def test_perturbation_curve_follows_equations_10_and_11(
    model: Model, paths: int, candidates: int, corners: str, ranking: str, regions: int
) -> None:
    model = model.with_(module=zoo.Raised(model.module, by=20.0))
    images, maps = zoo.images(2, side=10, dtype=torch.float64), zoo.images(2, side=10, seed=3, dtype=torch.float64)
    if model.module.network.__class__.__name__ == "Sequential":
        images, maps = images[..., :8, :8], maps[..., :8, :8]
    side = 3 if images.shape[-1] == 10 else 2
    metric = PerturbationCurve(side=side, regions=regions, draws=paths * candidates, paths=paths, corners=corners, ranking=ranking)
    found = metric.score(model, images, TARGET, maps, seed=4)
    for row, image in enumerate(images):
        draws = [Draws.for_images(4, image[None]).child("path", path) for path in range(paths)]
        window = image[None, :, : metric.side, : metric.side]
        with torch.no_grad():
            curve, value, error = perturbation_curve(
                lambda x: scalar(model)(x).item(),
                image,
                maps[row],
                [lambda p, window=window, own=own: Uniform()(window, model.bounds, own, p)[0] for own in draws],
                side=metric.side,
                regions=regions,
                candidates=candidates,
                skip_last=corners == "published",
                signed=ranking == "signed",
            )
        assert_close(found.curve[row], torch.tensor(curve, dtype=torch.float64), 1e-10)
        assert found.values[row].item() == pytest.approx(value, rel=1e-10)
        assert found.error[row].item() == pytest.approx(error, rel=1e-8, nan_ok=True)


def test_the_published_curve_has_31_points_and_6750_replaced_pixels() -> None:
    metric = PerturbationCurve(draws=1, fill=Black())
    assert metric.layout(224, 224) == (15, 30)
    images = zoo.images(1, side=224).clamp(-1, 1)
    net = zoo.Linear((3, 224, 224), classes=2)
    found = metric.score(zoo.model(net), images, 0, zoo.images(1, side=224, seed=1))
    assert found.curve.shape == (1, 31)
    assert PerturbationCurve().cost((3, 224, 224)).forward == 2 + 30 * 50


@twin_of("pixel_flipping")
@pytest.mark.parametrize("mode", ["deletion", "insertion"])
@pytest.mark.parametrize("order", ["most", "least"])
@pytest.mark.parametrize(("fill", "draws"), [(Blurred(sigma=0.1), 1), (Uniform(), 1), (Uniform(), 3)], ids=["blurred", "1", "3"])
def test_pixel_flipping_follows_its_papers(model: Model, fill: Fill, draws: int, order: str, mode: str) -> None:
    images, maps = zoo.images(2, dtype=torch.float64), zoo.images(2, seed=3, dtype=torch.float64)
    model = model.with_(module=zoo.Raised(model.module, by=20.0))
    metric = PixelFlipping(steps=6, fill=fill, draws=draws, order=order, mode=mode)
    found = metric.score(model, images, TARGET, maps, seed=4)
    for row, image in enumerate(images):
        own = Draws.for_images(4, image[None])
        with torch.no_grad():
            curve, value, error = pixel_flipping(
                lambda x: scalar(model)(x).item(),
                image,
                maps[row],
                [fill(image[None], model.bounds, own, p)[0] for p in range(draws)],
                steps=6,
                least_first=order == "least",
                insertion=mode == "insertion",
            )
        assert_close(found.curve[row], torch.tensor(curve, dtype=torch.float64), 1e-10)
        assert found.values[row].item() == pytest.approx(value, rel=1e-10)
        assert found.error[row].item() == pytest.approx(error, rel=1e-8, nan_ok=True)


def spots(n: int, side: int, radius: float) -> Tensor:
    """Discs about points that are no pixel's centre, one a region."""
    at = torch.rand(n, 2, 1, 1, generator=torch.Generator().manual_seed(5)) * side
    rows, columns = (torch.arange(float(side)).view(shape) for shape in ((-1, 1), (1, -1)))
    return (rows - at[:, 0]) ** 2 + (columns - at[:, 1]) ** 2 <= radius**2


@twin_of("pointing_game")
@pytest.mark.parametrize("tolerance", [0, 1, 3, 5])
def test_pointing_game(tolerance: int) -> None:
    """Among maps of few values, so that several pixels are highest."""
    regions, values = spots(12, 20, 4.0), zoo.images(12, side=20, dtype=torch.float64).mul(2).round()
    found = PointingGame(tolerance=tolerance).score(values, regions)
    expected = [localisation.pointing_game(*pair, tolerance) for pair in zip(values, regions, strict=True)]
    assert found.values.tolist() == pytest.approx(expected, abs=TIGHT)
    assert len({*found.values.tolist()} - {0.0, 1.0}) >= 1


@twin_of("energy_in_mask")
def test_energy_in_mask() -> None:
    regions, values = spots(6, 20, 6.0), zoo.images(6, side=20, dtype=torch.float64)
    found = EnergyInMask().score(values, regions.double())
    expected = [localisation.energy_in_mask(*pair) for pair in zip(values, regions, strict=True)]
    assert found.values.tolist() == pytest.approx(expected, abs=TIGHT)


def two_objects_and_the_border() -> Tensor:
    """Objects in two places, one of them cut by the border; and one pixel in a corner."""
    regions = torch.zeros(3, 10, 12)
    regions[0, :3, 4:8] = regions[0, 7:9, 1:3] = 1
    regions[1, 4:, 9:] = 1
    regions[2, 9, 11] = 1
    return regions


def maps_with_and_without_ties() -> Tensor:
    """Of three channels; the second map has few values."""
    values = zoo.images(3, side=12, dtype=torch.float64)[..., :10, :]
    values[1] = values[1].round()
    return values


def assert_twin(metric: RegionMetric, twin: Callable[[Tensor, Tensor], float]) -> None:
    regions, values = two_objects_and_the_border(), maps_with_and_without_ties()
    expected = [twin(*pair) for pair in zip(values, regions, strict=True)]
    assert metric.score(values, regions).values.tolist() == pytest.approx(expected, abs=TIGHT)


@twin_of("relevance_mass")
@pytest.mark.parametrize("exponent", [1.0, 2.0])
def test_relevance_mass(exponent: float) -> None:
    assert_twin(RelevanceMass(exponent=exponent), lambda *pair: localisation.relevance_mass(*pair, exponent))


@twin_of("relevance_rank")
def test_relevance_rank() -> None:
    assert_twin(RelevanceRank(), localisation.relevance_rank)


@twin_of("top_intersection")
@pytest.mark.parametrize("k", [1, 7, 60])
def test_top_intersection(k: int) -> None:
    assert_twin(TopIntersection(share=k / 120), lambda *pair: localisation.top_intersection(*pair, k))


@twin_of("best_overlap")
def test_best_overlap() -> None:
    assert_twin(BestOverlap(), localisation.best_overlap)


def with_a_border_that_does_not_count(truth: Tensor) -> Tensor:
    truth = truth.clone()
    truth[:, -1] = torch.nan
    return truth


@twin_of("region_auc")
def test_region_auc() -> None:
    assert_twin(RegionAuc(), localisation.region_auc)
    values, regions = maps_with_and_without_ties()[:2], with_a_border_that_does_not_count(two_objects_and_the_border()[:2])
    expected = [localisation.region_auc(*pair) for pair in zip(values, regions, strict=True)]
    assert RegionAuc().score(values, regions).values.tolist() == pytest.approx(expected, abs=TIGHT)


@twin_of("truth_correlation")
def test_truth_correlation() -> None:
    values = maps_with_and_without_ties()
    truth = with_a_border_that_does_not_count(zoo.images(3, side=12, seed=4, dtype=torch.float64)[:, 0, :10].round(decimals=1))
    expected = [localisation.truth_correlation(*pair) for pair in zip(values, truth, strict=True)]
    assert TruthCorrelation().score(values, truth).values.tolist() == pytest.approx(expected, abs=TIGHT)


def test_the_chance_of_the_best_overlap_with_one_place_is_a_harmonic_number() -> None:
    """In a random order the only place of the object comes r-th with the same probability for all r, and the overlap is 1 / r."""
    regions, n = two_objects_and_the_border()[2:], 120
    chance = BestOverlap().score(zoo.images(1, side=12)[..., :10, :], regions).components["chance"].item()
    assert chance == pytest.approx(sum(1 / r for r in range(1, n + 1)) / n, rel=0.08)


@pytest.mark.parametrize("n", range(1, 14))
@pytest.mark.parametrize("rule", ["simpson", "trapezoid"])
def test_area_weights(n: int, rule: AreaRule) -> None:
    curve = zoo.normal(1, n, seed=n, dtype=torch.float64)
    expected = np.trapezoid(curve[0]) if rule == "trapezoid" else area_of(curve[0].tolist())
    assert area(curve, rule).item() == pytest.approx(expected, abs=1e-13)
    assert area_weights(n, rule).sum().item() == pytest.approx(n - 1)


def test_the_weights_of_six_points_are_those_of_the_published_figures() -> None:
    assert area_weights(6, "simpson").tolist() == pytest.approx([5 / 12, 13 / 12, 1, 1, 13 / 12, 5 / 12])


# --- total variation -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [0.5, 1.3, 4.0])
@pytest.mark.parametrize("side", [5, 16])
def test_blur_is_scipys_with_reflected_borders(sigma: float, side: int) -> None:
    image = zoo.normal(1, 1, side, side + 3, dtype=torch.float64)
    expected = gaussian_filter(image[0, 0].numpy(), sigma, mode="reflect", truncate=4)
    assert_close(gaussian_blur(image, sigma)[0, 0], torch.from_numpy(expected), 1e-12)


def test_pyramid_levels_are_those_of_the_twin() -> None:
    heatmap = zoo.normal(1, 1, 90, 70, dtype=torch.float64)
    levels = list(pyramid(heatmap))
    expected = slow_tvc.pyramid(heatmap[0, 0].numpy())
    assert [level.shape[-2:] for level in levels] == [level.shape for level in expected] == [(90, 70), (60, 47), (40, 32)]
    for level, other in zip(levels, expected, strict=True):
        assert_close(level[0, 0], torch.from_numpy(other), 1e-12)


def test_pyramid_levels_at_224_pixels_are_the_published_ones() -> None:
    assert [level.shape[-1] for level in pyramid(torch.zeros(1, 1, 224, 224))] == [224, 150, 100, 67, 45, 30]


def test_scikit_image_agrees_away_from_borders() -> None:
    """Its pyramid of today mirrors the border pixel out of itself, ours repeats it; inside, they are one."""
    heatmap = zoo.normal(64, 64, dtype=torch.float64)
    ours = list(pyramid(heatmap[None, None], smallest_side=25))
    theirs = list(pyramid_gaussian(heatmap.numpy(), max_layer=2, downscale=1.5, channel_axis=None))
    for our, their in zip(ours, theirs, strict=True):
        assert_close(our[0, 0, 3:-3, 3:-3], torch.from_numpy(their[3:-3, 3:-3].copy()), 1e-9)


def test_scikit_image_resizes_alike() -> None:
    image = zoo.normal(40, 31, dtype=torch.float64).numpy()
    ours = slow_tvc.half_pixel_bilinear(image, 27, 21)
    assert np.allclose(ours, resize(image, (27, 21), order=1, anti_aliasing=False, mode="edge"), atol=1e-12)


@pytest.mark.parametrize("top", [99.0, 90.0, 100.0])
def test_percentile_scale(top: float) -> None:
    maps = zoo.normal(3, 1, 12, 9, dtype=torch.float64)
    expected = np.stack([slow_tvc.saliency(m[0], top)[None] for m in maps.numpy()])
    assert_close(percentile_scale(maps, top), torch.from_numpy(expected), 1e-12)


def test_average_total_variation() -> None:
    maps = zoo.normal(3, 1, 12, 9, dtype=torch.float64)
    expected = torch.tensor([slow_tvc.average_total_variation(m[0]) for m in maps.numpy()], dtype=torch.float64)
    assert_close(average_total_variation(maps), expected, TIGHT)


@twin_of("total_variation_curve")
@pytest.mark.parametrize("normalise", ["per level", "once"])
def test_total_variation_curve_follows_equation_12(normalise: str) -> None:
    maps = zoo.images(2, side=70, dtype=torch.float64)
    found = TotalVariationCurve(normalise=normalise).score(maps)
    for row in range(2):
        heatmap = maps[row].sum(0).numpy()
        curve = slow_tvc.eq_12_curve(heatmap, once=normalise == "once")
        assert_close(found.curve[row], torch.tensor(curve, dtype=torch.float64), 1e-11)
        assert found.values[row].item() == pytest.approx(slow_tvc.autvc(heatmap, once=normalise == "once"), rel=1e-11)


@twin_of("similarity_to")
@pytest.mark.parametrize("signed", [True, False])
def test_likenesses_are_those_of_pairs_of_pixels(signed: bool) -> None:
    maps, others = (zoo.images(3, side=7, seed=seed, dtype=torch.float64) for seed in (1, 2))
    maps[:, 1:], others[:, 1:] = 0, 0  # one channel, so that rounding makes ties in the sum
    maps, others = maps.mul(3).round(), others.mul(2).round()
    summed = [m.sum(1).flatten(1).numpy() for m in (maps, others)]
    flat = list(zip(*(summed if signed else map(np.abs, summed)), strict=True))
    twins = {
        "cosine": [slow_similarity.cosine(a, b) for a, b in flat],
        "pearson": [float(np.corrcoef(a, b)[0, 1]) for a, b in flat],
        "spearman": [float(spearmanr(a, b).statistic) for a, b in flat],
        "kendall": [slow_similarity.kendall(a, b) for a, b in flat],
    }
    for name, expected in twins.items():
        found = SimilarityTo(reference=Gradient(), similarity=name, signed=signed).score(maps, others).values
        assert_close(found, torch.tensor(expected, dtype=torch.float64), TIGHT)


@twin_of("sign_changes")
def test_sign_changes_are_counted_pair_by_pair() -> None:
    maps = zoo.images(3, side=7, seed=1, dtype=torch.float64)
    expected = [slow_similarity.sign_changes(m.sum(0)) for m in maps.numpy()]
    assert_close(SignChanges().score(maps).values, torch.tensor(expected, dtype=torch.float64), TIGHT)
