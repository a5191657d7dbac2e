"""The laws every exported metric obeys, with each of its settings in the table of cases."""

import functools
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import heatproof as hp
from heatproof.core.errors import ModelError, TensorError, UsageError
from heatproof.core.records import Direction
from heatproof.core.settings import exports
from heatproof.edits.randomise import blocks
from heatproof.methods import Attribution, ConstantMap, Gradient, InputXGradient, IntegratedGradients, Method, RandomMap, SmoothGrad
from heatproof.metrics import (
    Completeness,
    ExplainerMetric,
    FaithfulnessCorrelation,
    GridPointing,
    HistogramEntropy,
    InputIndependence,
    InputInvariance,
    MapMetric,
    Metric,
    ModelMetric,
    OutOfDistribution,
    ParameterRandomisation,
    PerturbationCurve,
    ReferenceMetric,
    RegionMetric,
    Repeatability,
    Roar,
    Saco,
    Scores,
    SensitivityN,
    SignChanges,
    SimilarityTo,
    SingleDeletion,
    Sparseness,
    SymmetricRelevanceGain,
    TotalVariationCurve,
    TruthMetric,
)
from heatproof.metrics.comparison import ComparingMetric
from heatproof.metrics.explain import bound
from heatproof.metrics.faithfulness.cell_metric import CellMetric
from heatproof.metrics.faithfulness.removal_metric import RemovalMetric
from heatproof.models import Model, Regression
from heatproof.models.classes import NO_CLASSES
from heatproof.numerics.blur import gaussian_blur
from heatproof.numerics.places import as_places
from heatproof.numerics.quadrature import GaussLegendre
from heatproof.passes.counting import count_passes
from heatproof.passes.forward import known_outputs, raw_outputs
from heatproof.passes.incremental import incremental
from heatproof.perturb.fills import White, Zero
from heatproof.tracing.capture import site_of
from tests.laws import known_pairs
from tests.laws.cases import FOUR, METRICS, every, every_change, for_images_of
from tests.support import zoo
from tests.support.checking import shapes_checked
from tests.support.close import assert_close, gap
from tests.support.state import disturb_chance, state_of, state_of_chance, state_of_tensor

pytestmark = pytest.mark.one_process  # one process computes the usual scores, with which most laws compare
SIDE = 24
FLOAT32 = 1e-5
LESS_EXACT = (Completeness, FaithfulnessCorrelation, InputInvariance, SensitivityN, SymmetricRelevanceGain)
"""They subtract what is nearly equal: the two areas of a gain, say, of which the smallest here is .0006 of either."""

metrics = pytest.mark.parametrize("metric", every(METRICS))


def metrics_of(base: Any) -> Any:
    return pytest.mark.parametrize("metric", [p for p in every(METRICS) if isinstance(p.values[0], base)])


def network() -> nn.Module:
    """Convolutions and a skip connection, for images of any size. No score or probability is near zero, so that others can be
    relative to it.
    """
    module = zoo.residual()
    module.head.weight.data /= 10
    module.head.bias.data += 10
    return module


@functools.cache
def network_in(dtype: torch.dtype) -> Model:
    """The model of the network, the same at each call."""
    return zoo.model(network(), dtype=dtype)


NETWORK = network_in(torch.float32)
METHOD = SmoothGrad(samples=2, method=IntegratedGradients(quadrature=GaussLegendre(steps=2)))
"""Stochastic, and it states an expected sum."""
FROM_ZERO = SmoothGrad(samples=2, method=IntegratedGradients(baseline=Zero(), quadrature=GaussLegendre(steps=2)))
"""The same, but its baseline does not follow a shift of the input."""
OF_GRADIENTS = SmoothGrad(samples=2)
"""Stochastic, and half as dear, for a metric that asks for the maps of many networks."""


def asked(metric: Metric) -> Method:
    """The method that a metric is tried on."""
    if isinstance(metric, ParameterRandomisation):
        return OF_GRADIENTS
    return FROM_ZERO if isinstance(metric, InputInvariance) else METHOD


def images(n: int = 5) -> Tensor:
    return zoo.images(n, side=SIDE)


def maps(n: int = 5) -> Tensor:
    return zoo.images(n, side=SIDE, seed=3)


def regions(at: Tensor) -> Tensor:
    """A square about the brightest pixel of each image, so that a region goes where its image goes; smaller where there are few."""
    bright, reach = as_places(at.detach()).sum(1), 4 if at.shape[-1] >= 20 else 1
    inside = torch.ones_like(bright, dtype=torch.bool)
    for axis, place in enumerate(torch.unravel_index(bright.flatten(1).argmax(1), bright.shape[1:]), 1):
        along = (torch.arange(bright.shape[axis]) - place[:, None]).abs() <= reach
        inside &= along.view(-1, *[n if other == axis else 1 for other, n in enumerate(bright.shape[1:], 1)])
    return inside


def scenes(at: Tensor) -> Tensor:
    """Each image without what is in its region: there, a mirror image of itself."""
    return torch.where(regions(at)[:, None], at.flip(-1), at)


def known(metric: Metric, at: Tensor) -> dict[str, Tensor]:
    """What a metric of known truth is told of the images beside them."""
    return {"regions": regions(at), "scenes": scenes(at.detach())} if isinstance(metric, TruthMetric) else {}


def score(
    metric: Metric,
    model: Model | None = None,
    at: Tensor | None = None,
    target: Any = 0,
    values: Tensor | None = None,
    method: Method | None = None,
    seed: int = 0,
) -> Scores:
    """Score by whatever the metric asks for: the map, where the object lies, the network, or the method."""
    model, at = model or NETWORK, images() if at is None else at
    values = maps(len(at)) if values is None else values
    if isinstance(metric, MapMetric):
        return metric.score(values)
    if isinstance(metric, RegionMetric):
        return metric.score(values, regions(at))
    if isinstance(metric, ReferenceMetric):
        return metric.score(values, metric.reference.attribute(model, at, target, seed=seed + 1).values)
    if isinstance(metric, ModelMetric):
        return metric.score(model, at, target, values, seed=seed)
    assert isinstance(metric, ExplainerMetric)
    return metric.score(model, at, target, bound(method or asked(metric), model), seed=seed, **known(metric, at))


@functools.cache
def usual(metric: Metric) -> Scores:
    """The scores that every argument by default gives, shapes and types checked; computed once for all laws."""
    with shapes_checked(True):
        return score(metric)


def assert_same_scores(found: Scores, expected: Scores, tolerance: float = FLOAT32) -> None:
    assert_close(found.values, expected.values, tolerance)
    assert_close(found.error, expected.error, 1e-3 if tolerance else 0)
    assert (found.curve is None) == (expected.curve is None)
    if found.curve is not None and expected.curve is not None:
        assert_close(found.curve, expected.curve, tolerance)
    assert found.components.keys() == expected.components.keys()
    for name, component in found.components.items():
        assert_close(component, expected.components[name], 10 * tolerance)
    assert found.notes == expected.notes


def rows_of(scores: Scores, rows: list[int]) -> Scores:
    return replace(
        scores,
        values=scores.values[rows],
        error=scores.error[rows],
        curve=None if scores.curve is None else scores.curve[rows],
        components={name: component[rows] for name, component in scores.components.items()},
        maps={name: maps[rows] for name, maps in scores.maps.items()},
        notes=tuple(scores.notes[row] for row in rows),
    )


def test_every_exported_metric_has_cases() -> None:
    assert {family.name for family in METRICS} == set(exports(Metric))


# --- declared facts --------------------------------------------------------------------------------------------------------


@metrics
def test_facts_for_a_reader_are_declared(metric: Metric) -> None:
    assert metric.label
    assert metric.meaning.endswith((".", "1 = nothing left to chance."))
    assert metric.cite
    assert metric.bounds[0] < metric.bounds[1]
    assert metric.direction in Direction


@metrics
def test_scores_are_one_per_sample_within_the_declared_bounds(metric: Metric) -> None:
    found = usual(metric)
    lower, upper = metric.bounds
    assert found.values.shape == found.error.shape == (5,)
    assert len(found.notes) == 5
    assert found.values.isfinite().all()
    assert ((lower <= found.values) & (found.values <= upper)).all()
    assert found.notes == ("",) * 5


@metrics
def test_curves_and_components_are_those_declared(metric: Metric) -> None:
    found = usual(metric)
    assert (found.curve is not None) == (metric.curve_axes is not None)
    assert found.curve is None or (found.curve.ndim == 2 and len(found.curve) == 5)
    assert set(found.components) == set(metric.component_meanings)
    assert all(component.shape == (5,) for component in found.components.values())


# --- one call for all --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", [pytest.param(next(iter(cases.values())), id=kind.name) for kind, cases in METRICS.items()])
def test_one_call_takes_any_metric_and_an_attribution_a_method_or_maps(metric: Metric) -> None:
    method, at, target, seed = asked(metric), images(3), torch.tensor([0, 1, 2]), 2
    attribution = method.attribute(NETWORK, at, target, seed=seed)
    expected = score(metric, NETWORK, at, target, attribution.values, method, seed)
    truth = {"regions": regions(at).float(), "scenes": scenes(at)}
    assert_same_scores(hp.score(metric, NETWORK, at, attribution, **truth), expected, 0)
    described = hp.score(metric.to_dict(), NETWORK, at, method.to_dict(), **truth, target=target, seed=seed)
    assert_same_scores(described, expected, 0)
    given = {**truth, "target": target, "seed": seed}
    if isinstance(metric, ExplainerMetric):
        with pytest.raises(UsageError, match=f"{metric.name}: maps: expected a Method or an Attribution"):
            hp.score(metric, NETWORK, at, torch.zeros_like(at), **given)
    else:
        assert_same_scores(hp.score(metric, NETWORK, at, attribution.values, **given), expected, 0)


def test_an_attribution_that_is_scored_is_not_computed_again() -> None:
    attribution = METHOD.attribute(NETWORK, images(2), 0, seed=5)
    with count_passes() as passes:
        found = hp.score("completeness", NETWORK, images(2), attribution)
    assert (passes.forward, passes.backward) == (0, 0)
    assert_close(found.values, attribution.gap, 0)


def test_a_method_that_cannot_be_built_again_is_asked_for_only_where_it_is_needed() -> None:
    attribution = replace(METHOD.attribute(NETWORK, images(2), 0), method='{"name":"my_own_method"}')
    assert hp.score("completeness", NETWORK, images(2), attribution).values.isfinite().all()
    with pytest.raises(UsageError, match="give the method itself in place of its Attribution"):
        hp.score("repeatability", NETWORK, images(2), attribution)


# --- quantities ---------------------------------------------------------------------------------------------------------------


@functools.cache
def quantity(unit: float = 1.0, zero: float = 0.0) -> Model:
    """A network whose output is a quantity, in another unit and from another zero; here it is negative for some images."""
    module = network().double()
    module.head.weight.data *= unit
    module.head.bias.data = unit * (module.head.bias.data - 10) + zero
    return zoo.model(module, dtype=torch.float64, output=Regression(index=1))


def follows_the_explained_output(metric: Metric) -> Metric:
    return metric.model_copy(update={"output": None}) if "output" in type(metric).model_fields else metric


@metrics
def test_of_a_quantity_the_zero_changes_no_score_and_the_unit_at_most_the_unit_of_the_score(metric: Metric) -> None:
    """Degrees may be counted from any zero, and a target may be standardised. What asks for a class says that there is none."""
    metric, no_class = follows_the_explained_output(metric), torch.full((3,), -1)
    at, values = images(3).double(), maps(3).double()
    found = score(metric, quantity(), at, no_class, values)
    if set(found.notes) == {NO_CLASSES}:
        assert found.values.isnan().all()
        return
    assert found.notes == ("",) * 3
    assert found.values.isfinite().all()
    assert_close(score(metric, quantity(zero=25.0), at, no_class, values).values, found.values, 1e-8)
    if not isinstance(metric, InputIndependence):  # its search for a patch weighs pixels against the output
        scaled = score(metric, quantity(unit=3.0), at, no_class, values).values
        assert gap(scaled, found.values) < 1e-8 or gap(scaled, 3 * found.values) < 1e-8


# --- independence ----------------------------------------------------------------------------------------------------------


@functools.cache
def together(metric: Metric, dtype: torch.dtype) -> Scores:
    """The scores of all images in one chunk, computed once for all other chunks."""
    return score(metric, network_in(dtype), images().to(dtype), MIXED, maps().to(dtype))


MIXED = torch.tensor([0, 1, 2, 3, 0])


@pytest.mark.parametrize(
    ("metric", "chunk"),
    [
        pytest.param(case.values[0], chunk, id=f"{case.id}-{chunk}")
        for case in every(METRICS)
        for chunk in ((64,) if isinstance(case.values[0], MapMetric | RegionMetric) else (1, 3, 64))  # which no network meets
    ],
)
def test_scores_do_not_depend_on_batch_mates_order_or_chunk(metric: Metric, chunk: int) -> None:
    """Two maps are compared in float64: in float32, a batch of another size may be rounded otherwise, and two values of a map that
    this ties, or parts, are one of the 165,600 pairs that Kendall's τ counts, which is more than 1e-5 of the scores here.
    """
    order, tolerance = [3, 0, 4], 1e-4 if isinstance(metric, LESS_EXACT) else FLOAT32
    dtype = torch.float64 if isinstance(metric, ComparingMetric) else torch.float32
    at, values = images().to(dtype), maps().to(dtype)
    expected, model = together(metric, dtype), network_in(dtype).with_(chunk=chunk)
    permuted = score(metric, model, at[order], MIXED[order], values[order])
    assert_same_scores(permuted, rows_of(expected, order), tolerance)
    if chunk <= len(order):
        return  # chunks that end within the batch; an image by itself has them or not as the batch does
    alone = score(metric, model, at[1:2], MIXED[1:2], values[1:2])
    assert_same_scores(alone, rows_of(expected, [1]), tolerance)


@metrics
def test_the_same_seed_gives_the_same_score_to_the_last_bit(metric: Metric) -> None:
    assert_same_scores(score(metric), usual(metric), 0)


def draws_at_random(metric: Metric) -> bool:
    """Whether the seed must matter: random candidates, or a further map of a stochastic method."""
    if isinstance(metric, ReferenceMetric):
        return metric.reference.stochastic
    if isinstance(metric, OutOfDistribution):
        return metric.removal.fill.stochastic
    if isinstance(metric, CellMetric) and not isinstance(metric, SingleDeletion):
        return metric.to_dict().get("perturbation") != "cells"
    removes = isinstance(metric, PerturbationCurve | RemovalMetric | SingleDeletion | Saco)
    return isinstance(metric, ExplainerMetric) or (removes and metric.fill.stochastic)


@metrics
def test_another_seed_gives_another_score_where_something_is_drawn(metric: Metric) -> None:
    once, other = usual(metric), score(metric, seed=1)
    if draws_at_random(metric):
        assert differ(once, other) if isinstance(metric, TruthMetric) else gap(once.values, other.values) > 1e-6
    else:
        assert_same_scores(once, other, 0)


@metrics
def test_global_random_state_is_neither_used_nor_changed(metric: Metric) -> None:
    disturb_chance(1)
    before = state_of_chance()
    once = score(metric)
    assert state_of_chance() == before
    disturb_chance(2)
    assert_same_scores(score(metric), once, 0)


@metrics
def test_float64_agrees_with_float32(metric: Metric) -> None:
    method = (
        METHOD.method if isinstance(metric, ComparingMetric | TruthMetric) else METHOD
    )  # an image whose last bit is other has other draws
    single = score(metric, method=method)
    double = score(metric, network_in(torch.float64), images().double(), values=maps().double(), method=method)
    assert_close(single.values.double(), double.values.double(), 1e-3)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode], ids=lambda mode: mode.__name__)
@metrics
def test_the_callers_gradient_mode_is_irrelevant(metric: Metric, mode: Any) -> None:
    expected = usual(metric)
    with mode():
        found = score(metric, at=images() + 0.0, values=maps() + 0.0, target=torch.zeros(5, dtype=torch.long))
        assert_same_scores(found, expected, 0)


@metrics
def test_training_mode_is_irrelevant(metric: Metric) -> None:
    assert_same_scores(score(metric, zoo.model(network().train())), usual(metric), 0)


# --- what is the caller's --------------------------------------------------------------------------------------------------


@metrics
def test_the_callers_network_and_tensors_are_untouched(metric: Metric) -> None:
    module = network()
    module.train()
    module.norm.eval()
    module.head.weight.grad = torch.ones_like(module.head.weight)
    at, values, target = images().requires_grad_(), maps(), torch.tensor([0, 1, 2, 3, 0])
    before = [state_of(module), *map(state_of_tensor, (at, values, target))]
    found = score(metric, zoo.model(module), at, target, values)
    assert [state_of(module), *map(state_of_tensor, (at, values, target))] == before
    assert not found.values.requires_grad


@pytest.mark.parametrize("error", [RuntimeError("broken layer"), KeyboardInterrupt()], ids=["error", "interrupt"])
@metrics_of(ModelMetric | ExplainerMetric)
def test_the_callers_network_is_untouched_when_it_fails_in_the_middle(metric: Metric, error: BaseException) -> None:
    module, at, values = zoo.Failing(network().train(), error), images(), maps()
    model, module.left = zoo.checked(zoo.model(module, chunk=2), at), 1
    before = [state_of(module), *map(state_of_tensor, (at, values))]
    with pytest.raises(type(error)):
        score(metric, model, at, 0, values)
    assert [state_of(module), *map(state_of_tensor, (at, values))] == before


@pytest.mark.parametrize("name", zoo.IMPURE)
@metrics_of(ModelMetric | ExplainerMetric)
def test_a_network_that_is_no_function_of_each_image_is_refused_in_the_same_words(metric: Metric, name: str) -> None:
    build, words = zoo.IMPURE[name]
    with pytest.raises(ModelError, match=words):
        score(metric, zoo.model(build()))


@metrics_of(ModelMetric)
def test_a_network_that_overwrites_its_input_changes_no_score(metric: Metric) -> None:
    class Head(nn.Module):
        def __init__(self, *, inplace: bool) -> None:
            super().__init__()
            self.first, self.rest = nn.ReLU(inplace=inplace), zoo.residual()

        def forward(self, x: Tensor) -> Tensor:
            return self.rest(self.first(x))

    found, expected = (score(metric, zoo.model(Head(inplace=inplace), chunk=4)) for inplace in (True, False))
    assert_same_scores(found, expected, 0)


# --- direction: on a network with known truth, the truth wins --------------------------------------------------------------


def better(metric: Metric, good: Tensor, bad: Tensor) -> Tensor:
    return good < bad if metric.direction is Direction.LOWER else good > bad


OF_THE_FILL = (OutOfDistribution,)
"""Metrics that no map is the truth of: they tell what the changed images are worth."""


@pytest.mark.parametrize("metric", [p for p in every(METRICS) if isinstance(p.values[0], OF_THE_FILL)])
def test_images_with_parts_of_real_ones_are_nearer_to_these_than_images_with_white_parts(metric: OutOfDistribution) -> None:
    real, white = (
        metric.model_copy(update={"removal": SymmetricRelevanceGain(groups=FOUR, share=1.0, fill=fill, draws=None)})
        for fill in (metric.references, White())
    )
    assert better(metric, score(real).values, score(white).values).all()


@pytest.mark.parametrize("metric", [p for p in metrics_of(ModelMetric).args[1] if not isinstance(p.values[0], OF_THE_FILL)])
def test_the_oracle_map_beats_the_random_map(metric: ModelMetric) -> None:
    """Any replacement of a pixel that the network looks at lowers its score, so the truth keeps least, or most, of it."""
    net = zoo.planted()
    model, at = zoo.model(net), net.images(4, SIDE)
    oracle = score(metric, model, at, 0, net.oracle(at)).values
    random = torch.stack(
        [score(metric, model, at, 0, RandomMap().attribute(model, at, 0, seed=seed).values).values for seed in range(4)]
    )
    assert not better(metric, random, oracle).any()
    assert better(metric, oracle, random.mean(0)).all()


def test_the_pair_of_what_is_retrained_is_compared_where_it_has_its_own_images() -> None:
    """Networks that are trained on maps of these images learn nothing in a law's time."""
    found = Path(__file__).parents[1] / "references" / "test_roar.py"
    assert "def test_without_the_planted_patch_new_networks_are_at_chance" in found.read_text(encoding="utf-8")


def row_of(table: Mapping[type, Any], metric: Metric) -> Any:
    """The known pair of a metric."""
    for base in type(metric).__mro__:
        if base in table:
            return table[base]
    pytest.fail(
        f"{type(metric).__name__} has no known pair: add a row to {known_pairs.__name__} that names a map (or method) "
        "of which it must say that it is better, a worse one, and why"
    )


@pytest.mark.parametrize(
    "metric", [p for p in metrics_of(MapMetric | ExplainerMetric).args[1] if not isinstance(p.values[0], Roar)]
)
def test_the_better_of_a_known_pair_scores_better(metric: Metric) -> None:
    if isinstance(metric, TruthMetric):
        shown = row_of(known_pairs.TRUTHS, metric)
        for at in images().split(1):
            explainers = [known_pairs.shows_object(regions(at), scenes(at), when) for when in (shown.better, shown.worse)]
            first, second = (metric.score(NETWORK, at, 0, explain, **known(metric, at)) for explain in explainers)
            assert better(metric, first.values, second.values).all(), shown.why
        return
    if isinstance(metric, MapMetric):
        pair = row_of(known_pairs.MAPS, metric)
        first, second = metric.score(pair.better(known_pairs.IMAGE)), metric.score(pair.worse(known_pairs.IMAGE))
    else:
        pair = row_of(known_pairs.METHODS, metric)
        model = zoo.model(pair.network((3, SIDE, SIDE))) if pair.network else NETWORK
        first, second = (score(metric, model, method=method) for method in (pair.better, pair.worse))
    assert better(metric, first.values, second.values).all(), pair.why


@metrics_of(ReferenceMetric)
def test_the_reference_itself_beats_every_random_map(metric: ReferenceMetric) -> None:
    reference, noise = maps(), zoo.images(5, side=SIDE, seed=6)
    assert better(metric, metric.score(reference, reference).values, metric.score(noise, reference).values).all()


def test_a_metric_without_a_known_pair_fails_and_says_what_to_do() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"has no known pair: add a row to tests\.laws\.known_pairs"):
        row_of({}, Sparseness())


@metrics_of(RegionMetric)
def test_the_region_itself_beats_every_random_map_and_a_constant_one_scores_chance(metric: RegionMetric) -> None:
    truth = regions(images())
    oracle = metric.score(truth[:, None].float(), truth)
    noise = RandomMap().attribute(NETWORK, images(), 0).values
    assert_close(oracle.values, torch.ones(5), FLOAT32)
    assert not better(metric, metric.score(noise, truth).values, oracle.values).any()
    constant = metric.score(torch.ones(5, 1, SIDE, SIDE), truth)
    assert_close(constant.values, constant.components["chance"], FLOAT32)
    assert better(metric, oracle.values, constant.values).all()


@metrics_of(RegionMetric)
def test_many_random_maps_score_chance_on_average(metric: RegionMetric) -> None:
    n = 600
    truth = regions(images(1)).expand(n, SIDE, SIDE)
    scored = metric.score(zoo.normal(n, 1, SIDE, SIDE, seed=2), truth)
    error = scored.values.std() / n**0.5
    assert abs(scored.values.mean() - scored.components["chance"][0]) < 4 * error


@metrics_of(RegionMetric)
def test_where_there_is_nothing_to_find_the_score_is_missing_and_says_why(metric: RegionMetric) -> None:
    truth = regions(images()).float()
    truth[0], truth[1], truth[2] = torch.nan, 0, 1
    found = metric.score(maps(), truth)
    assert found.values.isnan().tolist() == found.components["chance"].isnan().tolist() == [True, True, True, False, False]
    assert [note.partition(",")[0] for note in found.notes] == [
        "the image comes without a region",
        "nothing of the region is in view",
        "the region fills the view",
        "",
        "",
    ]
    assert_same_scores(rows_of(found, [3, 4]), rows_of(usual(metric), [3, 4]))


@metrics_of(Completeness)
def test_a_complete_map_beats_the_random_map_on_completeness(metric: Completeness) -> None:
    model = NETWORK
    path = IntegratedGradients(quadrature=GaussLegendre(steps=30))
    complete = metric.score(model, images(), 0, bound(path, model)).values

    def random(images: Tensor, target: Tensor, seed: int) -> Attribution:
        """Noise that makes the promise of a path method."""
        found = RandomMap().attribute(model, images, target, seed=seed)
        return replace(found, expected_sum=path.attribute(model, images, target).expected_sum)

    assert better(metric, complete, metric.score(model, images(), 0, random).values).all()


@metrics_of(TotalVariationCurve)
def test_a_blurred_map_beats_noise_on_total_variation(metric: TotalVariationCurve) -> None:
    """Normalised once, before the pyramid, it prefers white noise to noise of medium grain: that variant is for the record."""
    noise = zoo.images(6, side=96)
    blurred = metric.score(gaussian_blur(noise, 4)).values
    assert better(metric, blurred, metric.score(noise).values).all() == (metric.normalise == "per level")


@metrics_of(Repeatability)
def test_a_deterministic_method_beats_a_random_one_on_repeatability(metric: Repeatability) -> None:
    steady, random = score(metric, method=Gradient()), score(metric, method=RandomMap())
    assert better(metric, steady.values, random.values).all()
    assert_close(steady.values, torch.ones(5), FLOAT32)
    assert_close(steady.components["samples_factor"], torch.zeros(5), FLOAT32)
    assert random.values.abs().max() < 0.2


@metrics_of(SignChanges)
def test_a_ramp_of_one_sign_beats_noise_which_tosses_signs_and_a_chessboard_changes_everywhere(metric: SignChanges) -> None:
    noise = metric.score(zoo.normal(400, 1, SIDE, SIDE, seed=2)).values
    assert abs(noise.mean() - 0.5) < 4 * noise.std() / 20
    ramp = torch.linspace(1, 2, SIDE).expand(1, 1, SIDE, SIDE)
    assert better(metric, metric.score(ramp).values, noise).all()
    at = torch.arange(SIDE)
    assert metric.score((-1.0) ** (at[:, None] + at)[None, None]).values.item() == 1


@metrics_of(SimilarityTo)
def test_the_reference_is_most_like_itself_and_magnitudes_forget_signs(metric: SimilarityTo) -> None:
    others = zoo.images(3, side=SIDE, seed=5)
    itself, noise = metric.score(others, others).values, metric.score(zoo.images(3, side=SIDE, seed=6), others).values
    assert_close(itself, torch.ones(3), FLOAT32)
    assert better(metric, itself, noise).all()
    assert_close(metric.score(-others, others).values, -torch.ones(3) if metric.signed else torch.ones(3), FLOAT32)


@metrics_of(HistogramEntropy)
def test_entropy_is_zero_of_a_constant_and_greatest_of_a_ramp_and_blind_to_scale_and_offset(metric: HistogramEntropy) -> None:
    ramp = torch.arange(40.0 * metric.bins, dtype=torch.float64).view(1, 1, 40, -1)
    noise = zoo.normal(1, 1, SIDE, SIDE, seed=2, dtype=torch.float64)
    assert metric.score(torch.ones_like(ramp)).values.item() == 0
    assert metric.score(ramp).values.item() == pytest.approx(math.log(metric.bins), rel=1e-12)
    assert better(metric, metric.score(noise).values, metric.score(ramp).values).all()
    assert_close(metric.score(3 - 2 * noise).values, metric.score(noise).values, 1e-12)


@metrics_of(Sparseness)
def test_one_pixel_is_sparsest_and_equal_magnitudes_are_not_sparse_at_all(metric: Sparseness) -> None:
    one = torch.zeros(1, 1, SIDE, SIDE)
    one[..., 3, 5] = -2
    noise = metric.score(zoo.normal(9, 1, SIDE, SIDE, seed=2)).values
    signs = zoo.normal(1, 1, SIDE, SIDE).sign()
    assert metric.score(one).values.item() == pytest.approx(1 - 1 / SIDE**2, rel=1e-6)
    assert metric.score(signs).values.item() == pytest.approx(0, abs=1e-12)
    assert better(metric, metric.score(one).values, noise).all()
    # of |N(0, 1)|: √2 − 1
    assert abs(noise.mean() - (2**0.5 - 1)) < 4 * noise.std() / 3


@metrics_of(InputInvariance)
def test_a_gradient_is_invariant_to_a_shift_of_the_input_and_beats_its_product_with_the_input(metric: InputInvariance) -> None:
    gradient, product = (score(metric, method=method) for method in (Gradient(), InputXGradient()))
    assert_close(gradient.values, torch.ones(5), FLOAT32)
    assert gradient.components["distance"].max() < FLOAT32
    assert better(metric, gradient.values, product.values).all()


# --- scale, zero and NaN ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", [p for p in every(METRICS) if not isinstance(p.values[0], ExplainerMetric)])
@pytest.mark.parametrize("factor", [37.3, 1e-6])
def test_scale_does_not_matter_if_and_only_if_so_declared(metric: Metric, factor: float) -> None:
    assert metric.scale_invariant == (gap(score(metric, values=maps() * factor).values, usual(metric).values) < FLOAT32)


@pytest.mark.parametrize("value", [torch.nan, torch.inf], ids=["NaN", "infinity"])
@metrics
def test_a_broken_map_scores_nan_says_why_and_spares_its_batch_mates(metric: Metric, value: float) -> None:
    values = maps()
    values[1, 0, 3, 3] = value
    model = NETWORK
    if isinstance(metric, ExplainerMetric):

        def explain(images: Tensor, target: Tensor, seed: int, other: Model | None = None, /) -> Attribution:
            found = asked(metric).attribute(other or model, images, target, seed=seed)
            if isinstance(metric, GridPointing):  # it asks for the maps of parts of the batch
                found.values[torch.tensor([torch.equal(image, at[1]) for image in images]), 0, 3, 3] = value
            elif len(images) == len(values):  # one image by itself is none that was broken
                found.values[1, 0, 3, 3] = value
            return found

        at = images()
        found = metric.score(model, at, 0, explain, **known(metric, images()))
    else:
        found = score(metric, model, values=values)
    assert found.values[1].isnan()
    assert "finite" in found.notes[1] or "NaN or infinity" in found.notes[1]
    rest = [0, 2, 3, 4]
    assert_same_scores(rows_of(found, rest), rows_of(usual(metric), rest))


@metrics
def test_a_map_of_zeros_has_a_score_or_a_note(metric: Metric) -> None:
    model = NETWORK
    if isinstance(metric, ExplainerMetric):

        def explain(images: Tensor, target: Tensor, seed: int, other: Model | None = None, /) -> Attribution:
            found = asked(metric).attribute(other or model, images, target, seed=seed)
            return replace(found, values=torch.zeros_like(found.values))

        found = metric.score(model, images(), 0, explain, **known(metric, images()))
    else:
        found = score(metric, model, values=torch.zeros_like(maps()))
    for value, note in zip(found.values.tolist(), found.notes, strict=True):
        assert (value != value) == bool(note)


def test_a_map_without_preferences_removes_random_regions() -> None:
    """A constant map must not score as a map of the top left corner."""
    metric = PerturbationCurve(side=3, regions=4, draws=5)
    model = NETWORK
    constant = score(metric, model, values=ConstantMap().attribute(model, images(), 0).values)
    other = score(metric, model, values=torch.zeros_like(images()))
    assert_same_scores(constant, other, 0)
    assert gap(constant.values, score(metric, model, values=corner_first()).values) > 1e-4


def corner_first() -> Tensor:
    ramp = torch.linspace(2, 1, SIDE)
    return (ramp[:, None] * ramp[None]).expand(5, 3, SIDE, SIDE).clone()


# --- settings and cost -----------------------------------------------------------------------------------------------------


@metrics
def test_settings_survive_json(metric: Metric) -> None:
    again = Metric.from_dict(json.loads(json.dumps(metric.to_dict())))
    assert again == metric
    assert again.digest == metric.digest
    assert str(again) == str(metric)


def differ(a: Scores, b: Scores) -> bool:
    if gap(a.values, b.values) > 1e-6:
        return True
    return any(gap(a.components[name], b.components[name]) > 1e-6 for name in a.components)


@pytest.mark.parametrize(("path", "before", "after"), every_change(METRICS))
def test_a_changed_field_changes_digest_and_score(path: str, before: Metric, after: Metric) -> None:
    assert before.digest != after.digest
    if isinstance(before, TotalVariationCurve):
        one, other = (metric.score(zoo.images(5, side=96, seed=3)) for metric in (before, after))
    elif path == "support":
        one, other = (score(metric, at=images().relu(), method=InputXGradient()) for metric in (before, after))
    else:
        one, other = usual(before), score(after)
    assert differ(one, other), f"{path} changes nothing"


def trained_on(metric: Metric) -> int:
    """The training images of which a map of the network's decision is computed, whatever the number of images that are scored."""
    cost = metric.retraining((3, SIDE, SIDE))
    return 0 if cost is None else cost.images


@metrics
@pytest.mark.parametrize("side", [SIDE, SIDE + 6])
def test_cost_is_the_number_of_rows_that_passed(metric: Metric, side: int) -> None:
    counting, batch, values = zoo.Counting(network()), zoo.images(5, side=side), zoo.images(5, side=side, seed=3)
    further: list[Tensor] = []
    model, metric = zoo.model(counting, chunk=4), for_images_of(side, metric)

    def explain(at: Tensor, target: Tensor, seed: int, other: Model | None = None, /) -> Attribution:
        clean = other is None and seed == 0 and not target.any()
        further.extend(image for image in at if not (clean and any(torch.equal(image, known) for known in batch)))
        return RandomMap().attribute(other or model, at, target, seed=seed)

    order = blocks(model, batch)  # once for a network, whatever is asked of it
    if isinstance(metric, PerturbationCurve):
        incremental(model, batch, (metric.layout(side, side)[0],) * 2)  # likewise
    if isinstance(metric, CellMetric):
        incremental(model, batch, (side // 3, side // 3))  # likewise
    if isinstance(metric, OutOfDistribution) and metric.references is not None:
        metric.real(model, batch, site_of(model, batch), metric.references)  # likewise
    if isinstance(metric, GridPointing):
        site_of(model, batch)  # likewise
    zoo.checked(model, batch)  # likewise
    if isinstance(metric, ParameterRandomisation):
        metric = metric.model_copy(update={"blocks": len(order)})
    if isinstance(metric, ExplainerMetric):
        metric.score(model, batch, 0, explain, **known(metric, batch))
        assert len(further) == 5 * metric.explanations() + trained_on(metric)
    elif isinstance(metric, ReferenceMetric):
        metric.score(values, values[:1].expand_as(values))
    else:
        score(metric, model, batch, values=values)
    cost, common = metric.cost(tuple(batch.shape[1:])), metric.common_cost(tuple(batch.shape[1:])).values()
    forward, backward = (5 * sum(each) for each in zip(*((c.forward, c.backward) for c in (cost, *common)), strict=True))
    assert (counting.forward_rows, counting.backward_rows) == (forward + trained_on(metric), backward)

    with known_outputs(model, batch, raw_outputs(model, batch)), count_passes() as passes:
        if isinstance(metric, ExplainerMetric):
            metric.score(model, batch, 0, explain, **known(metric, batch))
        elif isinstance(metric, ModelMetric):
            metric.score(model, batch, 0, values)
    assert passes.forward == 5 * (cost.forward - cost.clean)
    if isinstance(metric, ModelMetric):
        assert passes.equivalent <= metric.work(model, batch) - 5 * cost.clean + 1e-9


# --- wrong inputs ----------------------------------------------------------------------------------------------------------


@metrics_of(ModelMetric)
@pytest.mark.parametrize("target", [4, -1], ids=["too large", "negative"])
def test_a_wrong_target_is_refused(metric: ModelMetric, target: Any) -> None:
    with pytest.raises(TensorError, match="target: expected"):
        score(metric, target=target)


@pytest.mark.parametrize("metric", [p for p in every(METRICS) if isinstance(p.values[0], ModelMetric | ExplainerMetric)])
def test_images_with_nan_are_refused(metric: Metric) -> None:
    broken = images().index_fill(0, torch.tensor([2]), torch.nan)
    with pytest.raises(TensorError, match="finite"):
        score(metric, at=broken)
