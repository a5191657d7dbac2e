"""The names that other libraries have: each leads to a name that exists here."""

import pytest
import torch
from torch import nn

from heatproof.core.errors import SettingsError, UnknownNameError
from heatproof.core.foreign_names import NAMES, SETTINGS
from heatproof.core.settings import exports, has_setting
from heatproof.core.settings_text import parse_settings
from heatproof.methods import GradCam, Gradient, IntegratedGradients, Method, SmoothGrad
from heatproof.metrics import Metric
from heatproof.models import Output
from heatproof.numerics.quadrature import Quadrature
from heatproof.perturb.changes import Change
from heatproof.perturb.fills import Fill

FAMILIES = {base.family: base for base in (Method, Metric, Fill, Output, Quadrature)}
CLASSES = [cls for base in (*FAMILIES.values(), Change) for cls in exports(base).values()]


@pytest.mark.parametrize(("foreign", "targets"), SETTINGS.items(), ids=SETTINGS)
def test_every_setting_that_a_foreign_one_leads_to_exists_where_the_foreign_one_does_not(foreign, targets):
    for target in targets:
        assert any(has_setting(cls, target) and foreign not in cls.model_fields for cls in CLASSES), target


@pytest.mark.parametrize(("family", "foreign", "meant"), [(f, *pair) for f, pairs in NAMES.items() for pair in pairs.items()])
def test_every_name_that_a_foreign_one_leads_to_exists_and_the_foreign_one_does_not(family, foreign, meant):
    assert foreign not in exports(FAMILIES[family])
    assert FAMILIES[family].from_dict(parse_settings(meant)).name == meant.partition(",")[0]
    with pytest.raises(UnknownNameError, match=f"Write {meant}"):
        FAMILIES[family].from_dict(foreign)


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: IntegratedGradients(n_steps=20), r"n_steps: no such setting; write quadrature.steps=… \(in Python, quadrature="),
        (lambda: IntegratedGradients(steps=20), r"steps: no such setting; write quadrature.steps"),
        (lambda: IntegratedGradients(baseline=0), 'baseline: expected a fill, got 0; write "zero"'),
        (lambda: IntegratedGradients(baseline=0.5), r"got 0.5; write Custom\(values=torch.full"),
        (
            lambda: IntegratedGradients(baseline=torch.zeros(3, 2, 2)),
            r"got a Tensor of shape \[3, 2, 2\]; write Custom\(values=…\)",
        ),
        (lambda: IntegratedGradients(baselines=torch.zeros(3, 2, 2)), r"integer, got a Tensor of .*; did you mean baseline\?"),
        (lambda: SmoothGrad(nt_samples=5), "write samples=…"),
        (lambda: SmoothGrad(stdevs=0.1), "write noise.sigma=…"),
        (lambda: SmoothGrad(sample=5), r"did you mean samples\?"),
        (lambda: SmoothGrad(method=3), "expected a method, got 3; write its name, one of"),
        (lambda: GradCam(target_layers=["layer4"]), "write layer=…"),
        (lambda: GradCam(layer=nn.ReLU()), r"got a ReLU; write the name that it has in model.named_modules\(\)"),
        (lambda: Gradient(abs=True), r'attribution.map\("absolute sum"\)'),
        (lambda: Gradient(colour="red"), "no such setting; gradient takes none"),
    ],
)
def test_the_habits_of_other_libraries_are_answered_with_what_to_write_here(build, says):
    with pytest.raises(SettingsError, match=says):
        build()


@pytest.mark.parametrize("text", ["GradCAM", "grad-cam", "Grad_CAM"])
def test_another_spelling_is_answered_with_the_name(text):
    with pytest.raises(UnknownNameError, match=r"Write grad_cam\."):
        Method.from_dict(text)
