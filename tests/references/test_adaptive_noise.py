"""The batched search of noise levels against the algorithm as it reads, image by image."""

import json
import math
from typing import ClassVar

import pytest
import torch

from heatproof.core.errors import SettingsError
from heatproof.core.records import Direction
from heatproof.core.seeds import derive, seed_of
from heatproof.methods import AdaptiveNoise, Gradient, Method, SmoothGrad, SmoothTaylor
from heatproof.methods.base import Case
from heatproof.methods.objective import Objective
from heatproof.methods.wrappers.adaptive_noise import OCTAVES, REFINEMENTS
from heatproof.metrics import PerturbationCurve, TotalVariationCurve
from heatproof.passes.counting import count_passes
from heatproof.perturb.draws import Draws
from heatproof.perturb.noises import Gaussian
from tests.references import adaptive_noise as twin
from tests.references.twin import twin_of
from tests.support import zoo

IMAGES = zoo.images(3, dtype=torch.float64)
MODEL = zoo.model(zoo.Raised(zoo.smooth_conv(), by=20.0), dtype=torch.float64)
TARGET, SEED = 1, 5
ROUGHNESS = TotalVariationCurve(scaled=True)
CURVE = PerturbationCurve(side=2, regions=3, draws=2)


class Peak(Objective):
    """Share of the largest value: an objective of a user's own, and one of which more is better."""

    better: ClassVar[Direction] = Direction.HIGHER

    def objective_value(self, model, images, target, maps, *, seed=0):
        flat = maps.flatten(1).abs()
        return flat.amax(1) / flat.sum(1)


def value_of(method: AdaptiveNoise, image: torch.Tensor):
    """J of one image at a σ, from the parts of the library that the search is made of."""

    def value(sigma: float, number: int = 0) -> float:
        stream = "0" if method.common else str(number)
        noise = Gaussian(sigma=max(sigma, 1e-30), relative_to="absolute", antithetic=method.method.noise.antithetic)
        target = torch.tensor([TARGET])
        draws = Draws.for_images(SEED, image).child(f"adaptive noise {stream}", [TARGET])
        explain = method.method.model_copy(update={"noise": noise}).explain
        maps = explain(Case(MODEL, image, target, draws)).values
        seed = seed_of(derive(SEED, "objective", stream))
        objective_value = method.objective.objective_value(MODEL, image, target, maps, seed=seed).item()
        return objective_value if method.objective.direction == Direction.LOWER else -objective_value

    return value


@twin_of("adaptive_noise")
@pytest.mark.parametrize("objective", [ROUGHNESS, CURVE, Peak()], ids=["map", "network", "own, higher"])
@pytest.mark.parametrize("settings", [{}, {"failures": 2}, {"common": True}, {"step": 2.0, "decay": 0.5}], ids=str)
@pytest.mark.parametrize("inner", [SmoothTaylor(samples=3), SmoothGrad(samples=2, noise=Gaussian(antithetic=True))], ids=str)
def test_the_published_search_is_the_algorithm(objective, settings, inner):
    method = AdaptiveNoise(method=inner, objective=objective, iterations=6, **{"failures": 1, **settings})
    found = method.attribute(MODEL, IMAGES, TARGET, seed=SEED)
    for i in range(3):
        start = IMAGES[i].abs().mean().item()
        sigma, tried = twin.search(
            value_of(method, IMAGES[i : i + 1]),
            start,
            step=method.step,
            decay=method.decay,
            iterations=6,
            failures=method.failures,
        )
        trace = found.details["trace_sigma"][i]
        assert trace[: len(tried)].tolist() == pytest.approx(tried)
        assert trace[len(tried) :].isnan().all()
        assert found.details["sigma"][i].item() == pytest.approx(sigma)
        assert found.details["evaluations"][i].item() == len(tried)


def test_the_sweep_tries_octaves_and_then_refines_the_best():
    method = AdaptiveNoise(method=SmoothTaylor(samples=3), objective=ROUGHNESS, search="sweep", common=True)
    found = method.attribute(MODEL, IMAGES, TARGET, seed=SEED)
    for i in range(3):
        tried = twin.sweep(value_of(method, IMAGES[i : i + 1]), IMAGES[i].abs().mean().item(), OCTAVES, REFINEMENTS)
        assert found.details["trace_sigma"][i].tolist() == pytest.approx(tried)
        assert found.details["objective"][i] == found.details["trace_objective"][i].min()


def test_a_sweep_takes_a_quarter_of_the_rows():
    published, sweep = (AdaptiveNoise(search=search).cost(tuple(IMAGES.shape[1:])) for search in ("published", "sweep"))
    assert AdaptiveNoise().evaluations == 41
    assert 4 * sweep.backward <= published.backward
    counted = AdaptiveNoise(method=SmoothTaylor(samples=2), objective=CURVE, search="sweep")
    cost = counted.cost(tuple(zoo.images(2).shape[1:]))
    with count_passes() as passes:
        counted.attribute(zoo.model(zoo.smooth_conv()), zoo.images(2), 0)
    assert (passes.forward, passes.backward) == (2 * cost.forward, 2 * cost.backward)


def test_the_objective_is_reported_as_searched_and_computed_again():
    method = AdaptiveNoise(method=SmoothTaylor(samples=3), objective=ROUGHNESS, iterations=8)
    best = method.attribute(MODEL, IMAGES, TARGET, seed=SEED)
    fresh = method.model_copy(update={"map": "fresh"}).attribute(MODEL, IMAGES, TARGET, seed=SEED)
    for found, name in ((best, "objective"), (fresh, "objective_fresh")):
        scores = ROUGHNESS.score(found.values).values
        assert scores.tolist() == pytest.approx(found.details[name].tolist())
    assert (best.details["objective_fresh"] > best.details["objective"]).all(), "the smallest of many draws is too good to be true"


def test_a_search_without_any_objective_value_says_so():
    """Below zero, no score is relative to that of the clean image."""
    method = AdaptiveNoise(method=SmoothTaylor(samples=3), objective=CURVE, search="sweep")
    negative, lost = zoo.model(zoo.Raised(zoo.smooth_conv(), by=-20.0), dtype=torch.float64), "the objective has no value at any σ"
    for model, expected in ((negative, True), (MODEL, False)):
        assert {note.startswith(lost) for note in method.attribute(model, IMAGES, TARGET).notes} == {expected}


def test_more_is_better_where_the_objective_says_so():
    method = AdaptiveNoise(method=SmoothTaylor(samples=3), objective=Peak(), search="sweep")
    found = method.attribute(MODEL, IMAGES, TARGET).details
    assert torch.equal(found["objective"], found["trace_objective"].amax(1))


def test_a_scale_of_zero_is_survived():
    """σ_0 − α may be 0, and the map is zero there."""
    images = torch.full_like(IMAGES, 0.1)
    method = AdaptiveNoise(method=SmoothTaylor(samples=2), objective=ROUGHNESS, iterations=4)
    found = method.attribute(MODEL, images, TARGET)
    assert found.details["trace_sigma"].nan_to_num().isfinite().all()


class Nothing(Objective):
    better: ClassVar[Direction] = Direction.LOWER

    def objective_value(self, model, images, target, maps, *, seed=0):
        return torch.full((len(maps),), math.nan)


def test_without_any_value_the_search_stays_at_its_start():
    found = AdaptiveNoise(method=SmoothTaylor(samples=2), objective=Nothing(), iterations=2).attribute(MODEL, IMAGES, TARGET)
    assert found.details["sigma"].tolist() == pytest.approx(IMAGES.abs().flatten(1).mean(1).tolist())
    assert found.details["objective"].isinf().all()


def test_one_image_twice_for_two_classes_is_searched_twice():
    images = IMAGES[[0, 0]]
    method = AdaptiveNoise(method=SmoothTaylor(samples=2), objective=ROUGHNESS, iterations=3)
    both = method.attribute(MODEL, images, torch.tensor([0, 1]))
    for i in range(2):
        alone = method.attribute(MODEL, images[:1], i)
        torch.testing.assert_close(both.values[i : i + 1], alone.values, rtol=1e-10, atol=1e-12)


def test_a_method_without_noise_is_refused():
    with pytest.raises(SettingsError, match="expected one with noise of a scale sigma, got gradient"):
        AdaptiveNoise(method=Gradient())


def test_objectives_are_the_metrics_of_a_map_and_survive_json():
    method = AdaptiveNoise(objective=CURVE)
    assert Method.from_dict(json.loads(json.dumps(method.to_dict()))) == method
    with pytest.raises(SettingsError, match="repeatability"):
        AdaptiveNoise(objective="repeatability")
