import copy

import pytest
import torch
from torch import nn

from heatproof.methods import IntegratedGradients
from heatproof.models import Bounds, Model
from heatproof.passes.acceleration import Plan, accelerate, apply

ALL = [Plan(fold=f, channels_last=c) for f in (False, True) for c in (False, True)]


@pytest.fixture
def model():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU6(), nn.Conv2d(8, 8, 3, groups=8), nn.BatchNorm2d(8),
        nn.Softplus(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5),
    )  # fmt: skip
    for norm in (net[1], net[4]):
        norm.running_var.uniform_(0.5, 2)
    return Model(net.train(), Bounds.of(0, 1, 3), chunk=4)


@pytest.fixture
def images():
    return torch.rand(3, 3, 12, 12, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("plan", ALL, ids=lambda plan: plan.label)
def test_an_exact_plan_gives_the_plain_map_and_says_what_it_did(model, images, plan):
    method = IntegratedGradients(quadrature={"steps": 7})
    double = model.with_(module=copy.deepcopy(model.module).double())
    plain = method.attribute(double, images.double(), 1)
    planned = method.attribute(apply(plan, double, images.double()), images.double(), 1)
    torch.testing.assert_close(planned.values, plain.values, rtol=1e-10, atol=1e-12)
    assert planned.plan == plan.label
    assert planned.passes == plain.passes


def test_bfloat16_keeps_the_type_of_images_and_maps(model, images):
    fast = apply(Plan(fold=True, bfloat16=True), model, images)
    found = IntegratedGradients(quadrature={"steps": 3}).attribute(fast, images, 1)
    exact = IntegratedGradients(quadrature={"steps": 3}).attribute(model, images, 1)
    assert found.values.dtype == torch.float32
    gap = float((found.values - exact.values).norm() / exact.values.norm())
    assert 0 < gap < 0.1


@pytest.mark.parametrize("precision", ["plain", "exact", "fast", "auto"])
def test_what_is_chosen_is_measured_and_admitted(model, images, precision):
    fast, measured = accelerate(model, images, precision)
    assert fast.plan == measured.plan.label
    assert measured.speedup >= 1
    assert not measured.plan.bfloat16 or precision in ("fast", "auto")
    assert precision != "plain" or measured.plan == Plan()


def test_auto_takes_no_plan_in_bfloat16_that_differs_by_more_than_the_tolerance(model, images):
    assert not accelerate(model, images, "auto", tolerance=0.0)[1].plan.bfloat16


def test_the_callers_module_is_left_as_it_was(model, images):
    before = copy.deepcopy(model.module.state_dict())
    fast, _ = accelerate(model, images, "fast")
    IntegratedGradients(quadrature={"steps": 2}).attribute(fast, images)
    assert fast.module is model.module
    assert model.module.training
    assert all(p.requires_grad for p in model.module.parameters())
    assert all(torch.equal(before[key], value) for key, value in model.module.state_dict().items())


def test_tables_are_accelerated_too():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 8, bias=False), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 2))
    model, rows = Model(net, Bounds.of(0, 1, 6)), torch.rand(5, 6)
    fast = apply(Plan(fold=True, channels_last=True), model, rows)
    torch.testing.assert_close(fast.outputs(rows), net.eval()(rows))
