"""Laws of half precision: however many terms are added up, the result is as exact as one gradient in that type."""

import re
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn

from heatproof.core.records import Reduction
from heatproof.core.settings import exports
from heatproof.methods import (
    AdaptiveNoise,
    Competition,
    DeepLift,
    ExpectedGradients,
    ExtremalPerturbation,
    InputXGradient,
    IntegratedGradients,
    KernelShap,
    Lime,
    MeaningfulPerturbation,
    Method,
    PartitionShap,
    Product,
    Rise,
    ShapleySampling,
    SmoothGrad,
    SmoothTaylor,
)
from heatproof.metrics import ExplainerMetric, MapMetric, Metric, ReferenceMetric, RegionMetric
from heatproof.metrics.faithfulness.cell_metric import CellMetric
from heatproof.numerics.blur import gaussian_blur
from heatproof.numerics.quadrature import GaussLegendre, LeftRiemann, Midpoint, RightRiemann, Trapezoid
from heatproof.numerics.reduce import reduce
from heatproof.numerics.running_moments import RunningMoments
from heatproof.numerics.sobel import sobel
from heatproof.numerics.total_variation import average_total_variation
from heatproof.passes.forward import mean_fill_score
from heatproof.perturb.draws import Draws
from heatproof.perturb.fills import Uniform
from heatproof.perturb.noises import Gaussian
from tests.laws import test_metrics as metric_laws
from tests.laws.cases import METHODS, METRICS, every
from tests.support import zoo

halves = pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bfloat16", "float16"])
NOISE = Gaussian(sigma=0.3, relative_to="absolute")
SAMPLING_FIELDS = {"samples", "baselines", "quadrature"}
"""The fields of methods that say how many maps are averaged."""
GRID = {"name": "regular_grid", "cells_per_axis": 3}

MANY: Mapping[type[Method], dict[str, Method]] = {
    IntegratedGradients: {
        "right riemann": IntegratedGradients(quadrature=RightRiemann(steps=1000)),
        "3,000 nodes": IntegratedGradients(quadrature=RightRiemann(steps=3000)),
        "left riemann": IntegratedGradients(quadrature=LeftRiemann(steps=1000)),
        "midpoint": IntegratedGradients(quadrature=Midpoint(steps=1000)),
        "trapezoid": IntegratedGradients(quadrature=Trapezoid(steps=1000)),
        "gauss": IntegratedGradients(quadrature=GaussLegendre(steps=300)),
        "noise": IntegratedGradients(quadrature=Midpoint(steps=20), baseline=Uniform(), baselines=50),
        "tolerance": IntegratedGradients(quadrature=GaussLegendre(steps=400), baseline=Uniform(), baselines=20, tolerance=0.1),
        "map tolerance": IntegratedGradients(quadrature=GaussLegendre(steps=400), map_tolerance=0.01),
    },
    ExpectedGradients: {
        "": ExpectedGradients(baselines=100, strata=10),
        "adaptive": ExpectedGradients(baselines=1000, strata=1, positions="adaptive"),
    },
    SmoothTaylor: {"": SmoothTaylor(noise=NOISE, samples=1000), "tolerance": SmoothTaylor(noise=NOISE, samples=999, tolerance=0.1)},
    SmoothGrad: {
        "": SmoothGrad(noise=NOISE, samples=1000),
        "square": SmoothGrad(noise=NOISE, samples=1000, moment="square"),
        "variance": SmoothGrad(noise=NOISE, samples=1000, moment="variance", method=InputXGradient()),
        "of integrated gradients": SmoothGrad(
            noise=NOISE, samples=10, method=IntegratedGradients(quadrature=RightRiemann(steps=100))
        ),
    },
    DeepLift: {"": DeepLift(baseline=Uniform(), baselines=300)},
    AdaptiveNoise: {
        "": AdaptiveNoise(method=SmoothGrad(samples=60), objective={"name": "sparseness"}, search="sweep"),
    },
    Competition: {"": Competition(method=SmoothGrad(noise=NOISE, samples=300), rivals=2)},
    Rise: {"": Rise(samples=3000, cells=3), "tolerance": Rise(samples=4000, cells=3, tolerance=0.1)},
    Lime: {"": Lime(samples=3000, groups=GRID)},
    KernelShap: {"": KernelShap(samples=510, groups=GRID)},
    ShapleySampling: {"": ShapleySampling(samples=200, groups=GRID)},
    PartitionShap: {"": PartitionShap(samples=200, groups=GRID)},
    Product: {"": Product(first=SmoothGrad(noise=NOISE, samples=300), second=SmoothTaylor(noise=NOISE, samples=300))},
}


def linear(dtype: torch.dtype) -> nn.Module:
    """A linear network whose weights are numbers of half precision, so that it is the same function in every type."""
    return zoo.Linear((3, 8, 8)).to(dtype).double()


def test_every_method_that_averages_is_tried_with_many_terms() -> None:
    averaging = {type(p.values[0]) for p in every(METHODS) if SAMPLING_FIELDS & set(type(p.values[0]).model_fields)}
    assert averaging <= set(MANY)
    assert {family.name for family in MANY} <= set(exports(Method))


@halves
@pytest.mark.parametrize("method", every(MANY))
def test_an_average_of_many_maps_is_as_exact_as_one_gradient(method: Method, dtype: torch.dtype) -> None:
    """On a linear network, against float64: random numbers, images and baselines are themselves rounded to the half type."""
    images = zoo.images(1).to(dtype)
    found = method.attribute(zoo.model(linear(dtype), dtype=dtype, chunk=500), images, 1)
    exact = method.attribute(zoo.model(linear(dtype), dtype=torch.float64, chunk=500), images.double(), 1)
    unit = torch.finfo(dtype).eps
    assert found.values.dtype == dtype
    assert (found.values.double() - exact.values).norm() <= unit * exact.values.norm()
    if not exact.expected_sum.isnan().any():
        scores = 3 * exact.values.abs().sum()  # what cancels in the difference of two scores
        assert (found.expected_sum.double() - exact.expected_sum).abs() <= unit * scores


LEARNED: list[Method] = [MeaningfulPerturbation(steps=20, l1=0.02), ExtremalPerturbation(areas=(0.1, 0.3), steps=20)]


@halves
@pytest.mark.parametrize("method", LEARNED, ids=lambda method: method.name)
def test_a_learned_mask_follows_that_of_float64(method: Method, dtype: torch.dtype) -> None:
    """Twenty steps of descent on a linear network, whose inputs and gradients alone are rounded to the half type."""
    images = zoo.images(1).to(dtype)
    found = method.attribute(zoo.model(linear(dtype), dtype=dtype), images, 1).values
    exact = method.attribute(zoo.model(linear(dtype), dtype=torch.float64), images.double(), 1).values
    assert (found.double() - exact).norm() <= 2 * torch.finfo(dtype).eps * exact.norm()
    assert exact.std() > 0


@pytest.mark.parametrize("method", every(METHODS))
def test_maps_are_in_half_precision_and_the_numbers_about_them_in_single(method: Method) -> None:
    dtype = torch.bfloat16
    network = zoo.model(zoo.bias_free_conv(), dtype=dtype)
    found = method.attribute(network, zoo.images(2).to(dtype), 1)
    assert found.values.dtype == dtype
    assert found.values.isfinite().all()
    assert found.expected_sum.dtype == found.error.dtype == found.gap.dtype == torch.float32


@pytest.mark.parametrize("metric", every(METRICS))
def test_scores_in_half_precision_are_in_single(metric: Metric) -> None:
    dtype = torch.bfloat16
    network, at = zoo.model(metric_laws.network(), dtype=dtype), metric_laws.images().to(dtype)
    found = metric_laws.score(metric, network, at, values=metric_laws.maps().to(dtype))
    assert torch.finfo(found.values.dtype).bits >= 32
    assert torch.finfo(found.error.dtype).bits >= 32
    if isinstance(metric, CellMetric):  # the drop of a few cells may be less than the rounding of an output in bfloat16
        words = "the same drop|no perturbation changes the score"
        assert all(value.isfinite() or re.search(words, note) for value, note in zip(found.values, found.notes, strict=True))
    else:
        assert found.values.isfinite().all()


@pytest.mark.parametrize("metric", [p for p in every(METRICS) if isinstance(p.values[0], ExplainerMetric)])
def test_a_score_in_half_precision_leaves_the_next_one_in_double_as_it_was(metric: Metric) -> None:
    """Networks that a metric loads and keeps for the next call are not rounded to the type of one caller."""

    def score(dtype: torch.dtype) -> Tensor:
        network, at = zoo.model(metric_laws.network(), dtype=dtype), metric_laws.images().to(dtype)
        return metric_laws.score(metric, network, at).values

    before = score(torch.float64)
    score(torch.bfloat16)
    assert torch.equal(score(torch.float64), before)


@halves
@pytest.mark.parametrize(
    "metric", [p for p in every(METRICS) if isinstance(p.values[0], MapMetric | RegionMetric | ReferenceMetric)]
)
def test_maps_in_half_precision_score_as_the_same_maps_in_single(metric: Metric, dtype: torch.dtype) -> None:
    """Large values, so that their sum over the pixels overflows float16."""
    maps, at = 1000 * metric_laws.maps().to(dtype), metric_laws.images()
    found, expected = (metric_laws.score(metric, at=at, values=values) for values in (maps, maps.float()))
    assert torch.equal(found.values, expected.values)


def test_a_mean_of_equal_tensors_is_that_tensor_in_every_type() -> None:
    for dtype in (torch.bfloat16, torch.float16, torch.float32, torch.float64):
        row = zoo.images(1)[0].to(dtype)
        moments = RunningMoments.like(row[None])
        for _ in range(1000):
            moments.add(0, row)
        assert torch.equal(moments.mean[0].to(dtype), row)
        assert not moments.variance.any()


@halves
def test_the_mean_score_of_many_fills_is_added_in_single(dtype: torch.dtype) -> None:
    network, images = zoo.model(linear(dtype), dtype=dtype, chunk=500), zoo.images(1).to(dtype)
    target, draws = torch.tensor([1]), Draws.for_images(0, images)
    found = mean_fill_score(network, images, target, draws, Uniform(), 2000)
    wide = zoo.model(linear(dtype), dtype=torch.float64, chunk=500)
    exact = mean_fill_score(wide, images.double(), target, Draws.for_images(0, images.double()), Uniform(), 2000)
    assert abs(float(found) - float(exact)) <= torch.finfo(dtype).eps * max(1.0, abs(float(exact)))


def test_pictures_are_blurred_reduced_and_differentiated_as_in_single() -> None:
    """Each result is that of float32, rounded once: no product underflows or overflows on the way."""
    small, large = 1e-5 * zoo.images(2), 300 * zoo.images(2)
    for values in (small.half(), large.half(), large.bfloat16()):
        for work in (
            lambda x: reduce(x, Reduction.L2),
            lambda x: reduce(x, Reduction.MEAN_ABSOLUTE),
            lambda x: gaussian_blur(x, 1.5),
            sobel,
        ):
            assert torch.equal(work(values), work(values.float()).to(values.dtype))
        assert torch.equal(average_total_variation(values), average_total_variation(values.float()))
