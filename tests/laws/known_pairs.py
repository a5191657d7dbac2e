"""Pairs of maps, or of methods, of which a metric must say that the first is better, for every metric that no general law covers.

Metrics of regions, of a reference or of the network have a general law each in `test_metrics.py`: the region itself, the reference
itself and the oracle map beat a random map. A metric of the map alone, or of a method, needs a row here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod

import torch
from torch import Tensor, nn

from heatproof.methods import Attribution, ConstantMap, Gradient, InputMap, InputXGradient, IntegratedGradients, Method, RandomMap
from heatproof.metrics import (
    Completeness,
    CosineConvergence,
    DataRandomisation,
    EfficientMprt,
    ExplainerMetric,
    GridPointing,
    HistogramEntropy,
    InputDependence,
    InputIndependence,
    InputInvariance,
    MapMetric,
    MaxSensitivity,
    ModelContrast,
    ParameterRandomisation,
    RandomLogit,
    Repeatability,
    SignChanges,
    SimilarityUnderChange,
    Sparseness,
    TotalVariationCurve,
    TruthMetric,
)
from heatproof.metrics.explain import Explain
from heatproof.models import Model
from heatproof.numerics.quadrature import GaussLegendre, LeftRiemann
from tests.support import zoo

Shape = tuple[int, ...]
IMAGE: Shape = (1, 96, 96)
"""The shape of the maps of images; maps of other data have others."""


def noise(shape: Shape) -> Tensor:
    """White noise."""
    return zoo.normal(5, *shape, seed=2)


def point(shape: Shape) -> Tensor:
    """Zero but for one place."""
    maps = torch.zeros(5, *shape)
    maps.flatten(1)[:, 5] = 2
    return maps


def ramp(shape: Shape) -> Tensor:
    """Positive values that rise evenly along the last axis."""
    return torch.linspace(1, 2, shape[-1]).expand(5, *shape).clone()


def silent_class(shape: Shape) -> nn.Module:
    """Class 0 depends on one value, the other classes on all: new weights, or the same ones shuffled, make its map less simple."""
    network = zoo.filled(nn.Sequential(nn.Flatten(), nn.Linear(prod(shape), 4)), seed=21)
    with torch.no_grad():
        network[1].weight[0] = 0
        network[1].weight[0, 5] = 1
    return network


@dataclass(frozen=True)
class Maps:
    """A better map, a worse one, and why."""

    better: Callable[[Shape], Tensor]
    worse: Callable[[Shape], Tensor]
    why: str


@dataclass(frozen=True)
class Methods:
    """A better method, a worse one, and why; by which network, if not by the usual one."""

    better: Method
    worse: Method
    why: str
    network: Callable[[Shape], nn.Module] | None = None


MAPS: Mapping[type[MapMetric], Maps] = {
    TotalVariationCurve: Maps(ramp, noise, "a ramp varies least from pixel to pixel and noise most"),
    SignChanges: Maps(ramp, noise, "a map of one sign never changes it, and noise tosses signs"),
    HistogramEntropy: Maps(point, noise, "one pixel on a constant map has two values, and noise fills the bins"),
    Sparseness: Maps(point, noise, "one pixel holds all of the mass"),
}

OF_THE_CLASS = "the gradient depends on the network and the class, and the image itself on neither"
METHODS: Mapping[type[ExplainerMetric], Methods] = {
    Completeness: Methods(
        IntegratedGradients(quadrature=GaussLegendre(steps=30)),
        IntegratedGradients(quadrature=LeftRiemann(steps=1)),
        "thirty nodes integrate the path, and the baseline's gradient alone does not",
    ),
    Repeatability: Methods(Gradient(), RandomMap(), "the gradient draws nothing, and noise repeats nothing"),
    MaxSensitivity: Methods(ConstantMap(), Gradient(), "a map that does not depend on the image never changes with it"),
    SimilarityUnderChange: Methods(
        Gradient(), RandomMap(), "the gradient of a smooth network moves a little, and noise is drawn anew"
    ),
    InputInvariance: Methods(Gradient(), InputXGradient(), "a shift of the input leaves the gradient and changes the input"),
    ParameterRandomisation: Methods(Gradient(), InputMap(), OF_THE_CLASS),
    EfficientMprt: Methods(Gradient(), InputMap(), OF_THE_CLASS, silent_class),
    DataRandomisation: Methods(Gradient(), InputMap(), OF_THE_CLASS),
    RandomLogit: Methods(Gradient(), InputMap(), OF_THE_CLASS),
    CosineConvergence: Methods(Gradient(), InputMap(), OF_THE_CLASS),
}


When = Callable[[bool, bool], bool]
"""(whether the image is other than its scene, whether the network is the explained one) → whether the map is on the object."""


@dataclass(frozen=True)
class Shows:
    """When the map of a better and of a worse method lies on the object rather than beside it, and why."""

    better: When
    worse: When
    why: str


TRUTHS: Mapping[type[TruthMetric], Shows] = {
    GridPointing: Shows(lambda *_: True, lambda *_: False, "the class that is explained is in the cell"),
    ModelContrast: Shows(
        lambda _, own: own, lambda _, own: not own, "the network of objects uses the object, and that of scenes does not"
    ),
    InputDependence: Shows(
        lambda whole, _: not whole,
        lambda whole, _: whole,
        "an object that tells nothing hides a part of the scene, which does",
    ),
    InputIndependence: Shows(
        lambda *_: True, lambda whole, _: whole, "a patch that changes nothing in the network changes nothing in its map"
    ),
}


def shows_object(regions: Tensor, scenes: Tensor, when: When) -> Explain:
    """A method whose map is 1 on the object and 0 elsewhere, or the other way round."""

    def explain(at: Tensor, target: Tensor, seed: int, other: Model | None = None, /) -> Attribution:
        shown = (regions[:, None] == when(not torch.equal(at, scenes), other is None)).to(at)
        found = RandomMap().attribute(other or zoo.model(zoo.residual()), at, target, seed=seed)
        return replace(found, values=shown.expand_as(at))

    return explain
