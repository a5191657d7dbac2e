"""Patterns and what flows through them, against twins that go patch by patch, and against facts of the paper."""

from itertools import product

import pytest
import torch
from torch import Tensor, nn

from heatproof.methods import Gradient, Lrp, PatternAttribution, PatternNet
from heatproof.models import Bounds, Model, Regression
from heatproof.passes.patterns import GivenPatterns, fit_patterns
from heatproof.relevance.composites import LrpZ
from heatproof.relevance.pattern_moments import Estimator
from heatproof.relevance.rules import PatternProjection as PatternNetRule
from heatproof.relevance.rules import WeightedPattern as PatternAttributionRule
from tests.references import patterns as slow
from tests.references.relevance import dense
from tests.references.test_rules import LAYERS, Scored
from tests.references.twin import twin_of
from tests.support import zoo
from tests.support.close import assert_close

estimators = pytest.mark.parametrize("estimator", ["positive", "linear"])


def row_model(net: nn.Module, channels: int) -> Model:
    return zoo.model(net, channels=channels, dtype=torch.float64)


# --- facts of the paper ----------------------------------------------------------------------------------------------------


def linear(weight: list[float]) -> Model:
    net = nn.Linear(len(weight), 1, bias=False).double()
    net.weight.data = torch.tensor([weight], dtype=torch.float64)
    return row_model(net, len(weight)).with_(output=Regression())


@estimators
def test_patterns_find_the_signal_and_leave_out_the_distractor(estimator: Estimator) -> None:
    """x = s (1, 0) + d (1, 1) with every s beside every d; w = (1, −1) reads s, and the gradient is w whatever s is."""
    s, d = torch.linspace(-1, 1, 4).double(), torch.linspace(-3, 3, 7).double()
    rows = torch.tensor([[float(a + b), float(b)] for a, b in product(s, d)], dtype=torch.float64)
    model = linear([1.0, -1.0])
    patterns = fit_patterns(model, rows, estimator)
    assert_close(patterns.tensors["weight"], torch.tensor([[1.0, 0.0]]).double(), 1e-12)
    signal = torch.stack([rows[:, 0] - rows[:, 1], torch.zeros(len(rows))], dim=1)
    assert_close(PatternNet(patterns=patterns).attribute(model, rows, 0).values, signal, 1e-12)
    assert_close(PatternAttribution(patterns=patterns).attribute(model, rows, 0).values, signal, 1e-12)
    assert torch.equal(Gradient().attribute(model, rows, 0).values, torch.tensor([[1.0, -1.0]]).double().expand_as(rows))


@estimators
def test_of_inputs_without_covariance_a_unit_weight_is_its_own_pattern(estimator: Estimator) -> None:
    corners = torch.tensor(list(product([-1.0, 1.0], repeat=3)), dtype=torch.float64)
    model = linear([0.48, 0.6, 0.64])
    assert_close(fit_patterns(model, corners, estimator).tensors["weight"], model.module.weight.detach(), 1e-12)


@estimators
def test_a_weight_times_its_pattern_is_one_for_every_unit_that_has_one(estimator: Estimator) -> None:
    model = zoo.model(zoo.bias_free_conv(), dtype=torch.float64)
    patterns = fit_patterns(model, zoo.images(12, dtype=torch.float64), estimator).tensors
    weights = dict(model.module.named_parameters())
    assert set(patterns) == set(weights)
    for name, pattern in patterns.items():
        known = pattern.flatten(1).any(1)
        assert_close((pattern * weights[name]).flatten(1).sum(1), known.double(), 1e-12)
        assert known.all() or (estimator, name) == ("positive", "5.weight")


def test_a_unit_that_was_never_active_passes_nothing_and_says_so() -> None:
    net = nn.Linear(3, 2).double()
    net.bias.data = torch.tensor([-100.0, 0.0], dtype=torch.float64)
    rows = zoo.normal(20, 3, dtype=torch.float64)
    model = row_model(net, 3)
    patterns = fit_patterns(model, rows)
    assert not patterns.tensors["weight"][0].any()
    assert patterns.tensors["weight"][1].any()
    found = PatternNet(patterns=patterns).attribute(model, rows[:2], [0, 1])
    assert "never active" in found.notes[0]
    assert found.notes[1] == ""


def test_a_unit_whose_input_is_constant_has_no_pattern() -> None:
    rows = torch.full((5, 2), 0.3).double()
    assert not fit_patterns(linear([1.0, 0.7]), rows, "linear").tensors["weight"].any()


# --- fits against twins ----------------------------------------------------------------------------------------------------


class Chain(nn.Module):
    """Convolution, normalisation, ReLU, max pooling, grouped convolution, ReLU, dense."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.second, self.head = nn.Conv2d(4, 6, 2, groups=2, bias=False), nn.Linear(24, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = nn.functional.max_pool2d(nn.functional.relu(self.norm(self.first(x))), 2)
        return self.head(nn.functional.relu(self.second(h)).flatten(1))


def chain() -> tuple[Model, Chain, dict[str, tuple[Tensor, Tensor]]]:
    """The network and its weights and biases, the first ones with the normalisation taken in."""
    net = zoo.filled(Chain().double(), seed=31, scale=2).eval()
    scale = net.norm.weight / (net.norm.running_var + net.norm.eps).sqrt()
    fused = net.first.weight * scale.view(-1, 1, 1, 1), (net.first.bias - net.norm.running_mean) * scale + net.norm.bias
    weights = {"first": fused, "second": (net.second.weight, torch.zeros(6)), "head": (net.head.weight, net.head.bias)}
    model = zoo.model(net, channels=2, dtype=torch.float64)
    return model, net, {name: (weight.detach(), bias.detach()) for name, (weight, bias) in weights.items()}


def inputs(net: Chain, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What stands before the pooling, the second convolution, its ReLU, and the head."""
    with torch.no_grad():
        rectified = net.norm(net.first(images)).relu()
        pooled = nn.functional.max_pool2d(rectified, 2)
        second = net.second(pooled)
        return rectified, pooled, second, second.relu().flatten(1)


def twins(net: Chain, weights: dict[str, tuple[Tensor, Tensor]], images: Tensor, *, positive: bool) -> dict[str, Tensor]:
    _, pooled, _, flat = inputs(net, images)
    return {
        "first.weight": slow.convolution_patterns(net.first, *weights["first"], images, positive=positive),
        "second.weight": slow.convolution_patterns(net.second, *weights["second"], pooled, positive=positive),
        "head.weight": slow.dense_patterns(*weights["head"], flat, positive=positive),
    }


@estimators
def test_patterns_are_those_of_the_twin_patch_by_patch(estimator: Estimator) -> None:
    model, net, weights = chain()
    images = zoo.images(7, channels=2, side=6, dtype=torch.float64)
    found = fit_patterns(model, images, estimator).tensors
    expected = twins(net, weights, images, positive=estimator == "positive")
    assert set(found) == set(expected)
    for name, twin in expected.items():
        assert_close(found[name], twin, 1e-9)


@estimators
@pytest.mark.parametrize("layer", LAYERS)
def test_patterns_of_any_layer_are_those_of_its_derivatives(layer: str, estimator: Estimator) -> None:
    make, shape = LAYERS[layer]
    module = zoo.filled(make().double(), seed=3, scale=1)
    x = zoo.normal(4, *shape, seed=5).double()
    found = fit_patterns(Model(Scored(module), Bounds.of(-4, 4, shape[0])), x, estimator).tensors["layer.weight"]
    expected = slow.jacobian_patterns(module, x, 1 if "transposed" in layer else 0, positive=estimator == "positive")
    assert_close(found, expected, 1e-9)


@estimators
def test_every_step_of_a_sequence_is_a_patch_and_a_shared_layer_pools_its_uses(estimator: Estimator) -> None:
    class Sequence(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.step, self.head = nn.Linear(3, 3), nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.step(self.step(x.view(-1, 4, 3)).relu()).relu().mean(1))

    net = zoo.filled(Sequence().double(), seed=5, scale=2)
    rows = zoo.normal(6, 12, seed=3).double()
    found = fit_patterns(row_model(net, 12), rows, estimator).tensors["step.weight"]
    with torch.no_grad():
        steps = torch.cat([rows.view(-1, 3), net.step(rows.view(-1, 3)).relu()])
        expected = slow.dense_patterns(net.step.weight, net.step.bias, steps, positive=estimator == "positive")
    assert_close(found, expected, 1e-9)


@estimators
def test_a_matrix_product_with_a_parameter_is_a_dense_layer_and_what_is_added_its_bias(estimator: Estimator) -> None:
    net, images = zoo.Linear((3, 2, 2)).double(), zoo.images(20, side=2, dtype=torch.float64)
    found = fit_patterns(zoo.model(net, dtype=torch.float64), images, estimator).tensors["weight"]
    weight = net.weight.detach().flatten(1)
    expected = slow.dense_patterns(weight, net.bias.detach(), images.flatten(1), positive=estimator == "positive")
    assert_close(found, expected.T, 1e-9)


# --- what flows ------------------------------------------------------------------------------------------------------------


@twin_of("pattern_attribution", "pattern_net")
@pytest.mark.parametrize("method", [PatternNet, PatternAttribution], ids=lambda method: method.name)
def test_the_map_is_the_backward_pass_written_out(method: type[PatternNet | PatternAttribution]) -> None:
    model, net, weights = chain()
    images = zoo.images(7, channels=2, side=6, dtype=torch.float64)
    found = method(patterns=fit_patterns(model, images)).attribute(model, images, 1).values
    through = twins(net, weights, images, positive=True)
    if method is PatternAttribution:
        through = {name: pattern * weights[name.removesuffix(".weight")][0] for name, pattern in through.items()}
    rectified, pooled, second, _ = inputs(net, images)
    for row, image in enumerate(images):
        with torch.no_grad():
            flow = through["head.weight"][1] * net(image[None])[0, 1]
        flow = flow.view(second[row].shape) * (second[row] > 0)
        flow = slow.through_convolution(net.second, through["second.weight"], pooled[row], flow)
        flow = slow.through_max_pool(2, rectified[row], flow) * (rectified[row] > 0)
        assert_close(found[row], slow.through_convolution(net.first, through["first.weight"], image, flow), 1e-9)


@pytest.mark.parametrize("rule", [PatternNetRule, PatternAttributionRule], ids=lambda rule: rule.name)
@pytest.mark.parametrize("layer", LAYERS)
def test_a_rule_is_its_dense_twin(layer: str, rule: type[PatternNetRule | PatternAttributionRule]) -> None:
    """R_in = Mᵀ R, M the matrix of the layer with A, or W ⊙ A, as its weight."""
    make, shape = LAYERS[layer]
    module, other = (zoo.filled(make().double(), seed=seed, scale=1) for seed in (3, 4))
    pattern = other.weight.detach().clone()
    if rule is PatternAttributionRule:
        other.weight.data *= module.weight.data
    x = zoo.normal(*shape, seed=5).double()
    by = rule(patterns={"layer.weight": pattern})
    composite = LrpZ(first=by, convolution=by, dense=by)
    weight, outputs = dense(other, x)[0], module(x[None])[0].flatten().detach()
    for target in (0, len(outputs) - 1):
        found = Lrp(composite=composite).attribute(Model(Scored(module), Bounds.of(-3, 4, shape[0])), x[None], target).values[0]
        assert_close(found.flatten(), weight[target] * outputs[target], 1e-10)


def test_attribution_passes_on_what_it_gets_where_there_is_no_border_and_every_gate_is_open() -> None:
    net = zoo.filled(nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)).double(), seed=6, scale=1)
    net[0].bias.data += 20
    rows = zoo.normal(30, 5, seed=2).double()
    model = row_model(net, 5)
    found = PatternAttribution(patterns=fit_patterns(model, rows, "linear")).attribute(model, rows, 1)
    with torch.no_grad():
        assert_close(found.values.sum(1), net(rows)[:, 1], 1e-9)


# --- projection ------------------------------------------------------------------------------------------------------------


def cosine(a: Tensor, b: Tensor) -> Tensor:
    return torch.nn.functional.cosine_similarity(a.flatten(1), b.flatten(1))


@pytest.mark.parametrize("method", [PatternNet, PatternAttribution], ids=lambda method: method.name)
def test_projection_keeps_the_direction_of_a_map_on_a_chain_and_its_largest_value_is_one(
    method: type[PatternNet | PatternAttribution],
) -> None:
    model, _, _ = chain()
    images = zoo.images(5, channels=2, side=6, dtype=torch.float64)
    patterns = fit_patterns(model, images, "linear")
    plain, projected = (method(patterns=patterns, project=how).attribute(model, images, 0).values for how in (False, True))
    assert_close(projected.flatten(1).abs().amax(1), torch.ones(5).double(), 1e-12)
    assert_close(cosine(plain, projected), torch.ones(5).double(), 1e-12)


def test_projection_turns_a_map_where_paths_meet() -> None:
    model, images = zoo.model(zoo.residual(), dtype=torch.float64), zoo.images(3, dtype=torch.float64)
    patterns = fit_patterns(model, images, "linear")
    plain, projected = (PatternNet(patterns=patterns, project=how).attribute(model, images, 0).values for how in (False, True))
    assert cosine(plain, projected).max() < 0.999


def test_projection_keeps_deep_networks_from_overflowing() -> None:
    layers = [nn.Linear(3, 3, bias=False) for _ in range(60)]
    net = zoo.filled(nn.Sequential(*layers), seed=4)
    model, rows = zoo.model(net, channels=3), zoo.normal(2, 3)
    large = GivenPatterns(tensors={f"{i}.weight": torch.full((3, 3), 10.0) for i in range(60)})
    plain, projected = (PatternNet(patterns=large, project=how).attribute(model, 1e3 * rows, 0) for how in (False, True))
    assert projected.values.isfinite().all()
    assert projected.values.any()
    assert not plain.values.isfinite().all()
    assert "set `project`" in plain.notes[0]
