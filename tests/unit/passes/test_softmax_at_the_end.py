"""Networks that end in a softmax: the map of the network equals that of its body, and says so."""

import pytest
import torch
from torch import Tensor, nn

from heatproof.methods import DeconvNet, DeepLift, DeepTaylor, Gradient, GuidedBackprop, Lrp, Method, SmoothGrad
from heatproof.models import Logit, Margin, Model, Output, Probability, Regression
from heatproof.passes.acceleration import Plan, apply
from heatproof.passes.network_checks import check_network
from heatproof.passes.relevance import BEGINS_AT_PROBABILITIES, BEGINS_BEFORE_SOFTMAX
from tests.support import zoo
from tests.support.close import assert_close


class Cast(nn.Module):
    """A softmax in another type, and copies of its result."""

    def forward(self, z: Tensor) -> Tensor:
        return z.softmax(dim=-1, dtype=torch.float64).to(z.dtype).contiguous()


class Shares(nn.Module):
    """Probabilities that no softmax made."""

    def forward(self, z: Tensor) -> Tensor:
        return z.square() / z.square().sum(1, keepdim=True)


ENDS = {"softmax": nn.Softmax(1), "log_softmax": nn.LogSoftmax(-1), "cast": Cast()}
METHODS = [
    Lrp(composite="lrp_epsilon"),
    Lrp(composite="epsilon_plus"),
    DeepTaylor(),
    DeepLift(),
    GuidedBackprop(),
    DeconvNet(),
    SmoothGrad(method="deep_lift", samples=2),
]


def body() -> nn.Module:
    return zoo.filled(nn.Sequential(nn.Flatten(), nn.Linear(192, 16), nn.ReLU(), nn.Linear(16, 4)), 1, scale=3)


def ending(end: nn.Module, output: Output | None = None) -> Model:
    return zoo.model(nn.Sequential(body(), end), output=output or Logit())


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
@pytest.mark.parametrize("method", METHODS, ids=lambda method: f"{method.name} {getattr(method, 'composite', '')}"[:40])
def test_rules_explain_what_lies_before_the_softmax(method: Method, end: nn.Module) -> None:
    images = zoo.images(2).clamp(0, 1) if isinstance(method, DeepTaylor) else zoo.images(2)
    for output in (Logit(), Margin(), Probability()):
        expected = method.attribute(zoo.model(body(), output=output), images)
        found = method.attribute(ending(end, output), images)
        assert_close(found.values, expected.values, 1e-6)
        assert torch.equal(found.target, expected.target)
        assert torch.allclose(found.expected_sum, expected.expected_sum, rtol=1e-5, equal_nan=True)
        assert all(BEGINS_BEFORE_SOFTMAX in note for note in found.notes)
        assert not any("softmax" in note for note in expected.notes)


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_an_output_without_classes_begins_there_too_and_keeps_its_meaning(end: nn.Module) -> None:
    """Gradient rules on a linear network: ∇ of the network's own number, softmax included."""
    linear, images = zoo.Linear((3, 8, 8), classes=4), zoo.images(2) / 10
    model = zoo.model(nn.Sequential(linear, end), output=Regression(index=2))
    found = GuidedBackprop().attribute(model, images)
    assert_close(found.values, Gradient().attribute(model, images).values, 1e-5)
    assert all(BEGINS_BEFORE_SOFTMAX in note for note in found.notes)


def test_probabilities_that_no_softmax_made_are_said_to_be_where_it_begins() -> None:
    found = DeepLift().attribute(ending(Shares()), zoo.images(2))
    assert all(BEGINS_AT_PROBABILITIES in note for note in found.notes)
    assert found.gap.max() < 1e-3


def test_a_logit_that_is_none_is_noted_and_other_outputs_are_what_they_say() -> None:
    images = zoo.images(2)
    assert (
        Gradient().attribute(ending(ENDS["softmax"]), images).notes
        == ("the network returns probabilities, not logits: its own output is explained",) * 2
    )
    for output in (Probability(), Margin()):
        expected = Gradient().attribute(zoo.model(body(), output=output), images)
        for end in ENDS.values():
            found = Gradient().attribute(ending(end, output), images)
            assert_close(found.values, expected.values, 1e-5)
            assert found.notes == ("", "")


def test_the_scale_is_a_fact_of_the_network_also_of_its_copy_in_half_precision() -> None:
    images = zoo.images(3)
    facts = {name: check_network(ending(end), images, gradients=False).scale for name, end in ENDS.items()}
    assert facts == {"softmax": "probabilities", "log_softmax": "log_probabilities", "cast": "probabilities"}
    assert check_network(zoo.model(body()), images, gradients=False).scale == "logits"
    assert check_network(zoo.model(nn.Sequential(body(), nn.Linear(4, 1))), images, gradients=False).scale is None
    model = ending(nn.Softmax(1), Probability())
    half = apply(Plan(bfloat16=True), model, images)
    assert not torch.allclose(half.outputs(images).sum(1), torch.ones(3), atol=1e-6), "rounding hides the sum"
    assert_close(Gradient().attribute(half, images).values, Gradient().attribute(model, images).values, 0.1)


def test_a_model_that_states_logits_is_believed() -> None:
    model = ending(nn.Softmax(1)).with_(scale="logits")
    found = DeepLift().attribute(model, zoo.images(2))
    assert found.notes == ("", "")
    assert_close(found.expected_sum, (model.outputs(zoo.images(2)) - model.outputs(black(2)))[[0, 1], found.target].detach(), 1e-5)


def black(n: int) -> Tensor:
    lower, _ = ending(nn.Softmax(1)).bounds.like(zoo.images(n))
    return lower.expand(n, 3, 8, 8).clone()
