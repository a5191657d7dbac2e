"""The law of stated errors: a Monte Carlo error is that of the whole score, or map, under another seed.

Over many seeds, the variance of what was computed is compared with the mean square of the errors that were stated. Their ratio is
that of two runs: the variance of their difference, over the sum of their squared errors. Squares are averaged before they are
divided, since one error is itself an estimate from a few draws.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from heatproof.methods import AdaptiveNoise, Method, SmoothGrad
from heatproof.metrics import (
    Aopc,
    EfficientMprt,
    ExplainerMetric,
    Irof,
    Metric,
    ModelMetric,
    ParameterRandomisation,
    PerturbationCurve,
    PixelFlipping,
    RandomLogit,
    Saco,
    Scores,
    SingleDeletion,
    SymmetricRelevanceGain,
)
from heatproof.models import Model
from heatproof.perturb.fills import Uniform
from heatproof.perturb.groups import Patches
from tests.laws import test_metrics
from tests.laws.cases import METHODS, METRICS
from tests.support import zoo

TRUE = (0.7, 1.3)
"""Standard deviation between seeds over stated error, with room for what so few seeds leave to chance."""
SEEDS = 24
ERRORS: Mapping[type[Metric], dict[str, Metric]] = {
    PerturbationCurve: {
        "paths of two": PerturbationCurve(side=3, regions=5, draws=10),
        "least, by sign": PerturbationCurve(side=3, regions=5, draws=6, paths=3, order="least", ranking="signed"),
    },
    PixelFlipping: {
        "deletion": PixelFlipping(steps=5, fill=Uniform(), draws=6),
        "insertion": PixelFlipping(steps=5, fill=Uniform(), draws=6, mode="insertion"),
    },
    Aopc: {"": Aopc(groups=Patches(side=4), share=0.6, draws=6)},
    Irof: {"": Irof(groups=Patches(side=4), fill=Uniform(), draws=6)},
    SymmetricRelevanceGain: {"": SymmetricRelevanceGain(groups=Patches(side=4), draws=6)},
    SingleDeletion: {"": SingleDeletion(groups=Patches(side=4), fill=Uniform(), draws=6)},
    Saco: {"": Saco(groups=Patches(side=4), parts=4, fill=Uniform(), draws=6)},
    RandomLogit: {"": RandomLogit(draws=4, similarity="pearson")},
    ParameterRandomisation: {"smoothed": ParameterRandomisation(draws=4, blocks=1, similarity="pearson", samples=2)},
    EfficientMprt: {"": EfficientMprt(draws=4, bins=20)},
}
"""Cheap settings of every metric that states an error."""
SLOW = [(AdaptiveNoise, "published"), (AdaptiveNoise, "published, curve, common")]
"""Searches whose choice adds less to the spread than that of the sweep, which is held to the law."""
STOCHASTIC = [
    pytest.param(method, id=f"{family.name}: {variant}")
    for family, variants in METHODS.items()
    for variant, method in variants.items()
    if method.stochastic and (family, variant) not in SLOW
]


@cache
def network() -> Model:
    """Eight pixels a side, and scores that depend on them in bends: what is carried forward matters."""
    return zoo.model(zoo.Raised(zoo.residual(), by=30.0), chunk=64)


def scored(metric: Metric, maps: Tensor, seed: int) -> Scores:
    method = SmoothGrad(samples=2)
    return test_metrics.score(metric, network(), zoo.images(len(maps), side=12), 0, maps, method, seed)


def assert_true(values: Tensor, errors: Tensor) -> None:
    """Values `[seeds, b, …]` and errors `[seeds, b]`, which may be zero where nothing varies."""
    ratio = (values.double().var(0).sum() / errors.double().square().mean(0).sum()).sqrt().item()
    assert TRUE[0] <= ratio <= TRUE[1], f"between seeds, the standard deviation is {ratio:.2f} times the stated error"


def assert_true_of_scores(metric: Metric, maps: Tensor) -> None:
    runs = [scored(metric, maps, seed) for seed in range(SEEDS)]
    assert_true(torch.stack([run.values for run in runs]), torch.stack([run.error for run in runs]))


@pytest.mark.parametrize("metric", test_metrics.every(ERRORS))
def test_the_stated_error_of_a_score_is_its_spread_between_seeds(metric: Metric) -> None:
    assert_true_of_scores(metric, zoo.images(2 if isinstance(metric, ExplainerMetric) else 4, side=12, seed=3))


@pytest.mark.parametrize("metric", [p for p in test_metrics.every(ERRORS) if isinstance(p.values[0], ModelMetric)])
def test_it_includes_the_order_of_equal_values(metric: Metric) -> None:
    assert_true_of_scores(metric, zoo.images(4, channels=1, side=12, seed=3).sign().expand(-1, 3, -1, -1))


@pytest.mark.parametrize("metric", test_metrics.every(METRICS))
def test_every_metric_that_states_an_error_is_held_to_it(metric: Metric) -> None:
    found = test_metrics.score(metric, at=test_metrics.images(2), values=test_metrics.maps(2))
    assert found.error.isnan().all() or type(metric) in ERRORS, "add cheap settings to ERRORS"


@pytest.mark.parametrize("method", STOCHASTIC)
def test_the_stated_error_of_a_map_is_its_spread_between_seeds(method: Method) -> None:
    model, images = zoo.model(zoo.residual(), chunk=64), zoo.images(3)
    first: Any = method.attribute(model, images, 0, seed=0)
    if first.error.isnan().all():
        return
    runs = [first, *(method.attribute(model, images, 0, seed=seed) for seed in range(1, SEEDS))]
    errors = torch.stack([run.error * run.values.flatten(1).norm(dim=1) for run in runs])
    assert_true(torch.stack([run.values for run in runs]), errors)


def test_one_path_of_the_curve_states_no_error() -> None:
    """What is carried forward decides more than the candidates of a step, whose spread was once taken for the error."""
    one = scored(PerturbationCurve(side=3, regions=5, draws=10, paths=1), zoo.images(4, side=12, seed=3), 0)
    assert one.error.isnan().all()
    assert one.values.isfinite().all()
