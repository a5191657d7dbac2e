import copy

import pytest
import torch
from torch import nn

from heatproof.methods import IntegratedGradients
from heatproof.models import Bounds, Model
from heatproof.passes import acceleration
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
    assert fast.plan == measured.summary
    assert fast.plan.startswith(measured.plan.label)
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


def test_every_plan_that_was_tried_is_told_with_the_reason_it_was_refused(model, images):
    measured = accelerate(model, images, "auto", tolerance=0.0, remember=False)[1]
    labels = [trial.plan.label for trial in measured.trials]
    assert len(labels) == len(set(labels)) == 6
    assert labels[0] == "plain"
    assert measured.speedup == max(trial.speedup for trial in measured.trials)
    for trial in measured.trials:
        assert bool(trial.refused) == trial.plan.bfloat16
        assert (trial.speedup == 0) == bool(trial.refused)
        assert not trial.refused or "gradient maps differ by 0.0" in trial.refused


def test_a_plan_whose_outputs_differ_is_refused_with_the_reason(model, images, monkeypatch):
    monkeypatch.setattr(acceleration, "EXACT", -1.0)
    measured = accelerate(model, images, "exact", remember=False)[1]
    assert measured.plan == Plan()
    assert all("more than rounding explains" in trial.refused for trial in measured.trials[1:])


def test_what_was_measured_is_remembered_for_the_same_question_only(model, images, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = accelerate(model, images, "fast")[1]
    monkeypatch.setattr(acceleration, "_measure", None)
    fast, again = accelerate(model, images, "fast")
    assert again == first
    assert fast.plan == first.summary
    others = [
        lambda: accelerate(model, images, "auto"),
        lambda: accelerate(model, images, "fast", remember=False),
        lambda: accelerate(model, images[..., :8], "fast"),
        lambda: accelerate(model.with_(module=nn.Sequential(model.module, nn.Identity())), images, "fast"),
    ]
    for other in others:
        with pytest.raises(TypeError):
            other()
    for file in tmp_path.rglob("*.json"):
        file.write_text("{broken")
    with pytest.raises(TypeError):
        accelerate(model, images, "fast")


@pytest.mark.parametrize(("precision", "rows", "expected"), [("fast", 10**9, True), ("fast", 10, False), ("exact", 10**9, False)])
def test_compiling_is_tried_only_where_it_may_pay_back(model, images, monkeypatch, precision, rows, expected):
    monkeypatch.setattr(torch, "compile", lambda module, dynamic: module)
    measured = accelerate(model, images, precision, rows=rows, remember=False)[1]
    assert any(trial.plan.compiled for trial in measured.trials) == expected


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the compiler reads .grad of tensors that are no leaves
def test_a_compiled_plan_gives_the_plain_map():
    torch.manual_seed(0)
    net, method = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2)), IntegratedGradients(quadrature={"steps": 7})
    model, rows = Model(net, Bounds.of(0, 1, 6), chunk=4), torch.rand(5, 6)
    compiled = method.attribute(apply(Plan(compiled=True), model, rows), rows, 1)
    torch.testing.assert_close(compiled.values, method.attribute(model, rows, 1).values, rtol=1e-4, atol=1e-6)
    assert compiled.plan == "compiled"
