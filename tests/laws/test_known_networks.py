"""Known networks: which methods are right and wrong there, and which metrics prefer the truth."""

import pytest
import torch

from heatproof.core.records import Direction
from heatproof.methods import Gradient, InputXGradient, IntegratedGradients, Method, Occlusion, ShapleySampling, SmoothGrad
from heatproof.metrics import (
    Aopc,
    FaithfulnessCorrelation,
    Infidelity,
    Irof,
    ModelMetric,
    PerturbationCurve,
    PixelFlipping,
    Saco,
    SensitivityN,
    SingleDeletion,
    SymmetricRelevanceGain,
)
from heatproof.models import Bounds, Model
from heatproof.numerics.quadrature import Midpoint
from heatproof.numerics.similarity import cosine
from heatproof.perturb.fills import Zero
from heatproof.perturb.groups import Patches
from tests.laws.known_networks import KNOWN, KnownNetwork

PIXELS, BLACK = Patches(side=1), Zero()
METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Gradient(),
        SmoothGrad(samples=100),
        InputXGradient(),
        IntegratedGradients(baseline=BLACK, quadrature=Midpoint(steps=400)),
        Occlusion(window=1, stride=1, fill=BLACK),
        ShapleySampling(samples=60, groups=PIXELS, fill=BLACK),
    )
}
METRICS = {
    "symmetric_relevance_gain": lambda fill: SymmetricRelevanceGain(groups=PIXELS, share=1.0, fill=fill, draws=None),
    "single_deletion": lambda fill: SingleDeletion(groups=PIXELS, fill=fill),
    "sensitivity_n": lambda fill: SensitivityN(groups=PIXELS, fill=fill, samples=40),
    "faithfulness_correlation": lambda fill: FaithfulnessCorrelation(groups=PIXELS, fill=fill, samples=40),
    "infidelity of subsets": lambda fill: Infidelity(groups=PIXELS, fill=fill, samples=40),
    "infidelity of cells": lambda fill: Infidelity(groups=PIXELS, fill=fill, perturbation="cells"),
    "saco": lambda fill: Saco(groups=PIXELS, parts=16, fill=fill),
    "aopc": lambda fill: Aopc(groups=PIXELS, share=1.0, fill=fill, draws=None),
    "irof": lambda fill: Irof(groups=PIXELS, fill=fill),
    "pixel_flipping": lambda fill: PixelFlipping(groups=PIXELS, steps=None, fill=fill),
    "perturbation_curve": lambda fill: PerturbationCurve(side=1, regions=6, fill=fill),
}
networks = pytest.mark.parametrize("known", KNOWN.values(), ids=KNOWN)


def model(known: KnownNetwork) -> Model:
    return Model(known.build(), Bounds.of(0, 1, channels=1))


@networks
def test_methods_are_right_and_wrong_where_the_reason_says_so(known: KnownNetwork) -> None:
    images = known.images()
    for name in (*known.right, *known.wrong):
        found = cosine(METHODS[name].attribute(model(known), images).values, known.map(images))
        if name in known.right:
            assert (found > 0.999).all(), name
        else:
            assert not (found >= 0.97).any(), name


@networks
def test_the_truth_of_a_function_without_absences_sums_to_what_the_function_adds(known: KnownNetwork) -> None:
    """Of pertinent negatives, contributions relative to zeros are zero, and the truth is no such contribution."""
    images = known.images()
    gained = (model(known).outputs(images) - model(known).outputs(torch.zeros_like(images)))[:, 0].detach()
    total = known.map(images).flatten(1).sum(1)
    if known.fill == "zero":
        assert total.tolist() == pytest.approx(gained.tolist(), abs=0.011), "up to the ripple"
    else:
        assert not gained.any()
        assert (total == 1).all()


@pytest.mark.parametrize("name", METRICS)
@networks
def test_a_metric_prefers_the_truth_to_the_same_values_elsewhere_where_its_definition_can_see_it(
    known: KnownNetwork, name: str
) -> None:
    metric: ModelMetric = METRICS[name](known.fill)
    images = known.images()
    truth = known.map(images)
    true, moved = (metric.score(model(known), images, None, maps).values for maps in (truth, truth.roll((2, 1), (2, 3))))
    better = true < moved if metric.direction is Direction.LOWER else true > moved
    assert bool(better.all()) != (name in known.blind), (true, moved)


def test_what_is_absent_is_seen_by_no_metric_whose_fill_is_absence_too() -> None:
    known = KNOWN["pertinent negative"]
    images = known.images()
    for name in ("single_deletion", "sensitivity_n", "faithfulness_correlation", "infidelity of subsets"):
        found = METRICS[name]("zero").score(model(known), images, None, known.map(images))
        assert found.values.isnan().all()
        assert all(found.notes)
