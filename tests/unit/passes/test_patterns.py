"""Where patterns come from, what they cost, what they do not depend on, and what is refused."""

import json
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from heatproof.core.errors import ModelError, SettingsError
from heatproof.data import Photos, load_images
from heatproof.methods import Lrp, Method, PatternNet
from heatproof.models import Model
from heatproof.models.preprocessing import Preprocessing
from heatproof.passes.acceleration import Plan, apply
from heatproof.passes.counting import PassCount, count_passes
from heatproof.passes.patterns import FittedPatterns, GivenPatterns, Patterns, fit_patterns
from heatproof.relevance.composites import LrpEpsilon
from tests.support import zoo
from tests.support.close import assert_close, assert_different
from tests.support.state import state_of


def photographed(module: nn.Module) -> Model:
    """A network that says how to prepare the photographs that come with the library."""
    preprocessing = Preprocessing(side=zoo.SIDE, resize=zoo.SIDE)
    return Model(module, preprocessing.bounds, preprocessing=preprocessing, chunk=8)


FEW = FittedPatterns(dataset=Photos(count=6), estimator="linear")


@pytest.mark.parametrize("chunk", [1, 3, 7])
@pytest.mark.parametrize("estimator", ["positive", "linear"])
def test_patterns_do_not_depend_on_the_size_of_chunks(estimator: str, chunk: int) -> None:
    images = zoo.images(7)
    whole, cut = (fit_patterns(zoo.model(zoo.residual(), chunk=n), images, estimator).tensors for n in (64, chunk))
    assert set(whole) == set(cut) == {"stem.weight", "block.weight", "head.weight"}
    for name, pattern in whole.items():
        assert_close(cut[name], pattern, 1e-6)


def test_a_fit_leaves_the_network_alone_and_says_what_it_cost() -> None:
    module = zoo.residual().train()
    before = state_of(module)
    with count_passes() as passes:
        found = fit_patterns(zoo.model(module, chunk=4), zoo.images(5))
    assert state_of(module) == before
    assert passes == PassCount(10, 5)
    assert all(tensor.dtype == torch.float32 and not tensor.requires_grad for tensor in found.tensors.values())


def test_patterns_of_a_folded_network_are_those_of_the_network() -> None:
    images = zoo.images(6, dtype=torch.float64)
    plain = zoo.model(zoo.residual(), dtype=torch.float64)
    folded = apply(Plan(fold=True), plain, images)
    patterns, same = fit_patterns(plain, images), fit_patterns(folded, images)
    for name, pattern in patterns.tensors.items():
        assert_close(same.tensors[name], pattern, 1e-9)
    method = PatternNet(patterns=patterns)
    assert_close(method.attribute(folded, images, 1).values, method.attribute(plain, images, 1).values, 1e-9)


# --- fitted when asked for -------------------------------------------------------------------------------------------------


def test_a_table_or_a_name_stands_for_patterns() -> None:
    assert Method.from_dict({"name": "pattern_net", "patterns": {"dataset": "photos"}}) == PatternNet()
    asked = {"name": "pattern_net", "patterns": {"dataset": {"name": "photos", "count": 6}, "estimator": "linear"}}
    assert Method.from_dict(asked) == PatternNet(patterns=FEW)
    for patterns in (FEW, GivenPatterns(tensors={"a.weight": torch.ones(2, 3)})):
        assert Patterns.from_dict(json.loads(json.dumps(patterns.to_dict()))) == patterns


def test_fitted_patterns_are_those_of_the_data_set() -> None:
    model = photographed(zoo.residual())
    given = fit_patterns(model, load_images("photos", model.preprocessing, count=6), "linear")
    images = zoo.images(2)
    expected = PatternNet(patterns=given).attribute(model, images, 1)
    found = PatternNet(patterns=FEW).attribute(model, images, 1)
    assert torch.equal(found.values, expected.values)
    assert found.passes == expected.passes


def test_a_fit_is_made_once_and_again_only_when_the_network_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def fit(model: Model, images: Tensor, estimator: str) -> GivenPatterns:
        made.append(estimator)
        return fit_patterns(model, images, estimator)

    monkeypatch.setattr("heatproof.passes.patterns.fitted.fit_patterns", fit)
    model, images = photographed(zoo.residual()), zoo.images(2)
    first = PatternNet(patterns=FEW).attribute(model, images, 1).values
    assert torch.equal(PatternNet(patterns=FEW).attribute(model, images, 1).values, first)
    assert made == ["linear"]
    PatternNet(patterns=FittedPatterns(dataset=FEW.dataset)).attribute(model, images, 1)
    assert made == ["linear", "positive"]
    with torch.no_grad():
        model.module.stem.weight[0].mul_(-1)
    assert_different(PatternNet(patterns=FEW).attribute(model, images, 1).values, first)
    assert made == ["linear", "positive", "linear"]


# --- what is refused -------------------------------------------------------------------------------------------------------


class Uses(nn.Module):
    """Whatever a function does with a layer."""

    def __init__(self, layer: nn.Module, use: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.layer, self.use = layer, use
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.use(self, x).mean((2, 3))


def with_and_without_normalisation(net: nn.Module, x: Tensor) -> Tensor:
    y = net.layer(x)
    return y + net.norm(y)


REFUSED: dict[str, tuple[nn.Module, str]] = {
    "grouped transposed": (
        Uses(nn.ConvTranspose2d(3, 6, 2, groups=3), lambda net, x: net.layer(x)),
        r"expected layers that multiply by a parameter .* got layer.weight \[3, 2, 2, 2\]",
    ),
    "a weight made on the way": (
        Uses(nn.Conv2d(3, 4, 3), lambda net, x: F.conv2d(x, net.layer.weight * 2)),
        r"got a weight made on the way \[4, 3, 3, 3\]",
    ),
    "two uses": (Uses(nn.Conv2d(3, 4, 3), with_and_without_normalisation), r"expected one layer for layer.weight, got uses that"),
}


@pytest.mark.parametrize(("net", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_layers_without_patterns_are_refused_by_name(net: nn.Module, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        fit_patterns(zoo.model(net.eval()), zoo.images(2))


@pytest.mark.parametrize(
    ("tensors", "says"),
    [
        ({}, r"expected a pattern \[4, 6\] for head.weight, got those of no layer; fit patterns to this very network"),
        ({"head.weight": torch.ones(4, 6)}, r"\[6, 6, 3, 3\] for block.weight, got those of head.weight"),
        ({"head.weight": torch.ones(4, 5)}, r"\[4, 6\] for head.weight, got \[4, 5\]"),
    ],
)
def test_a_network_whose_layers_lack_patterns_is_refused_by_name(tensors: dict[str, Tensor], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        PatternNet(patterns=GivenPatterns(tensors=tensors)).attribute(zoo.model(zoo.residual()), zoo.images(2), 0)


def test_a_model_without_preprocessing_cannot_be_fitted_by_name() -> None:
    with pytest.raises(ModelError, match=r"expected a model with `preprocessing`.*patterns=fit_patterns\(model, images\)"):
        PatternNet().attribute(zoo.model(zoo.residual()), zoo.images(2), 0)
    with pytest.raises(SettingsError, match="estimator"):
        FittedPatterns(estimator="negative")


def test_attention_that_comes_as_one_operation_is_refused() -> None:
    class Attending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            tokens = x.view(-1, 3, 4)
            return self.attention(tokens, tokens, tokens, need_weights=False)[0].mean(1)

    with pytest.raises(ModelError, match="a weight made on the way"):
        fit_patterns(zoo.model(Attending(), channels=12), zoo.normal(2, 12))


def test_projection_of_steps_and_a_product_of_two_inputs_are_refused() -> None:
    class Steps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.step = nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.step(x.view(-1, 4, 3)).mean(1)

    patterns = GivenPatterns(tensors={"step.weight": torch.ones(3, 3)})
    with pytest.raises(ModelError, match=r"outputs on axis 1 .* got axis 2 of step.weight; leave `project` off"):
        PatternNet(patterns=patterns, project=True).attribute(zoo.model(Steps(), channels=12), zoo.normal(2, 12), 0)

    class Gram(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x[:, :, None] @ x[:, None]).flatten(1)

    rule = {"name": "pattern_projection", "patterns": patterns.tensors}
    with pytest.raises(ModelError, match=r"matmul.*expected a rule that shares relevance out"):
        Lrp(composite=LrpEpsilon(dense=rule)).attribute(zoo.model(Gram(), channels=12), zoo.normal(2, 12), 0)
