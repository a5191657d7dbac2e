"""Every linear rule against its dense, looping twin, over every kind of layer; and composites against chains of twins."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from heatproof.core.errors import ModelError, SettingsError
from heatproof.methods import DeconvNet, DeepTaylor, Gradient, InputXGradient, Lrp
from heatproof.methods import GuidedBackprop as GuidedBackpropMethod
from heatproof.models import Bounds, Model
from heatproof.passes.relevance import relevance
from heatproof.relevance.composites import Composite, EpsilonPlus, GuidedRelu, LrpEpsilon, LrpZ
from heatproof.relevance.rules import AlphaBeta, Epsilon, Flat, Gamma, LinearRule, Stabiliser, WSquare, ZBox, ZPlus
from tests.references import relevance as slow
from tests.references.twin import twin_of
from tests.support import zoo
from tests.support.close import assert_close

BARE = Stabiliser(epsilon=0)
LOWER, UPPER = -3.0, 4.0

LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "linear": (lambda: nn.Linear(5, 4), (5,)),
    "linear, no bias": (lambda: nn.Linear(5, 4, bias=False), (5,)),
    "conv1d, stride": (lambda: nn.Conv1d(2, 3, 3, stride=2), (2, 7)),
    "conv2d, padding": (lambda: nn.Conv2d(2, 3, 3, padding=1), (2, 4, 4)),
    "conv2d, dilation": (lambda: nn.Conv2d(2, 2, 2, dilation=2, bias=False), (2, 4, 5)),
    "conv2d, groups": (lambda: nn.Conv2d(4, 4, 2, groups=2), (4, 3, 3)),
    "conv2d, depthwise": (lambda: nn.Conv2d(3, 3, 2, groups=3), (3, 3, 3)),
    "conv3d": (lambda: nn.Conv3d(1, 2, 2), (1, 3, 2, 3)),
    "transposed 1d": (lambda: nn.ConvTranspose1d(2, 2, 3, stride=2), (2, 3)),
    "transposed 2d": (lambda: nn.ConvTranspose2d(2, 3, 2, stride=2, output_padding=1), (2, 2, 3)),
    "transposed 3d": (lambda: nn.ConvTranspose3d(1, 2, 2), (1, 2, 2, 2)),
    "circular": (lambda: nn.Conv2d(1, 2, 3, padding=1, padding_mode="circular"), (1, 3, 4)),
}


class Scored(nn.Module):
    """A layer whose outputs are the network's."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x).flatten(1)


RULES: dict[str, tuple[LinearRule, Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]]] = {
    "epsilon": (Epsilon(stabiliser=BARE), slow.bach_58_epsilon),
    "z_plus": (ZPlus(), slow.z_plus),
    "alpha 2 beta 1": (AlphaBeta(stabiliser=BARE), lambda x, w, b, r: slow.alpha_beta(x, w, b, r, 2, 1)),
    "alpha 2.3 beta 1.3": (
        AlphaBeta(stabiliser=BARE, alpha=2.3, beta=1.3),
        lambda x, w, b, r: slow.alpha_beta(x, w, b, r, 2.3, 1.3),
    ),
    "gamma": (Gamma(stabiliser=BARE, gamma=0.4), lambda x, w, b, r: slow.gamma(x, w, b, r, 0.4)),
    "z_box": (ZBox(), lambda x, w, b, r: slow.z_box(x, w, r, torch.full_like(x, LOWER), torch.full_like(x, UPPER))),
    "w_square": (WSquare(), lambda x, w, b, r: slow.w_square(x, w, r)),
    "flat": (Flat(), lambda x, w, b, r: slow.flat(x, (w != 0).to(w), r)),
}


@twin_of("lrp")
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("layer", LAYERS)
def test_a_rule_is_its_dense_twin(rule: str, layer: str) -> None:
    make, shape = LAYERS[layer]
    module = zoo.filled(make().double(), seed=3, scale=1)
    fast, twin = RULES[rule]
    x = zoo.normal(*shape, seed=5).double()
    model = Model(Scored(module), Bounds.of(LOWER, UPPER, shape[0]))
    weight, b = slow.dense(module, x)
    for target in (0, len(b) - 1):
        relevance = torch.zeros_like(b)
        relevance[target] = (weight @ x.flatten() + b)[target]
        found = Lrp(composite=_as_lrp(fast)).attribute(model, x[None], target).values[0]
        assert_close(found.flatten(), twin(x.flatten(), weight, b, relevance), 1e-10)


NORMS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], int, bool]] = {
    "layer": (lambda: nn.LayerNorm((2, 3)), (2, 3), 1, True),
    "layer, bare": (lambda: nn.LayerNorm(3, elementwise_affine=False), (2, 3), 2, True),
    "group": (lambda: nn.GroupNorm(2, 4), (4, 2, 2), 2, True),
    "instance": (lambda: nn.InstanceNorm2d(3, affine=True), (3, 2, 2), 3, True),
    "root mean square": (lambda: nn.RMSNorm(3), (2, 3), 1, False),
    "unit length": (lambda: Function(nn.functional.normalize), (4,), 1, False),
    "local response": (lambda: nn.LocalResponseNorm(3, alpha=0.5), (4, 2), 1, False),
}


class Function(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


@pytest.mark.parametrize("norm", NORMS)
def test_a_normalisation_by_the_samples_own_statistics_is_linear_with_its_spread_held(norm: str) -> None:
    make, shape, groups, centred = NORMS[norm]
    module = zoo.filled(make().double(), seed=3, scale=1)
    x = zoo.normal(*shape, seed=5).double()
    scored = Scored(module)
    scored.register_parameter(
        "precision", nn.Parameter(torch.zeros((), dtype=torch.float64))
    )  # some norms have no parameter to tell it
    model = Model(scored, Bounds.of(LOWER, UPPER, shape[0]))
    weight, b = slow.held(lambda v: module(v.view(1, *shape)).flatten().detach(), x.flatten(), groups, centred)
    y = weight @ x.flatten() + b
    for target in (0, len(b) - 1):
        relevance = torch.zeros_like(b)
        relevance[target] = y[target]
        found = Lrp(composite=LrpZ(layer_norm=Epsilon(stabiliser=BARE))).attribute(model, x[None], target).values[0]
        assert_close(found.flatten(), slow.bach_58_epsilon(x.flatten(), weight, b, relevance), 1e-10)
        passed = Lrp(composite="lrp_z").attribute(model, x[None], target).values[0]
        assert_close(passed.flatten(), relevance, 1e-12)
        gradient = Lrp(composite={"name": "lrp_z", "layer_norm": None}).attribute(model, x[None], target).values[0]
        slope = torch.autograd.functional.jacobian(lambda v: module(v.view(1, *shape)).flatten(), x.flatten())
        assert_close(gradient.flatten(), y[target] * slope[target], 1e-10)


def test_instance_normalisation_by_running_statistics_is_batch_normalisation() -> None:
    found = []
    for norm in (nn.InstanceNorm2d(4, affine=True, track_running_stats=True), nn.BatchNorm2d(4)):
        parts = (nn.Conv2d(3, 4, 3), norm, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
        net = zoo.filled(nn.Sequential(*parts), seed=3)
        norm.weight.data, norm.bias.data = torch.tensor([1.0, -0.5, 2.0, 0.7]), torch.tensor([0.1, 0.4, -0.3, 0.2])
        norm.running_mean, norm.running_var = zoo.normal(4, seed=1), zoo.normal(4, seed=2).square()
        found.append(Lrp(composite="epsilon_plus").attribute(zoo.model(net), zoo.images(2), 1).values)
    assert_close(*found, 1e-6)


def test_relevance_passes_as_it_is_only_where_the_shape_stays() -> None:
    model = zoo.model(nn.Sequential(nn.Flatten(), zoo.filled(nn.Linear(zoo.images(1)[0].numel(), 3), seed=1)))
    with pytest.raises(ModelError, match=r"identity: expected an operation that keeps its input's shape, got \[2, .*epsilon"):
        Lrp(composite={"name": "lrp_epsilon", "dense": "identity"}).attribute(model, zoo.images(2))
    with pytest.raises(SettingsError, match=r"layer_norm: no rule is called 'z_plus'. Known: epsilon, identity"):
        Lrp(composite={"name": "lrp_epsilon", "layer_norm": "z_plus"})


def _as_lrp(rule: LinearRule) -> Composite:
    return LrpZ(first=rule, convolution=rule, dense=rule)


def test_lrp_0_is_input_times_gradient_on_relu_networks_without_biases() -> None:
    net = nn.Sequential(
        *(nn.Conv2d(3, 6, 3, bias=False), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 5, 2, bias=False), nn.ReLU()),
        *(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(5, 3, bias=False)),
    )
    model, images = zoo.model(zoo.filled(net.double(), seed=4, scale=2), dtype=torch.float64), zoo.images(3, dtype=torch.float64)
    found = Lrp(composite=LrpZ(pool=Epsilon(stabiliser=BARE))).attribute(model, images, 1).values
    assert_close(found, InputXGradient().attribute(model, images, 1).values, 1e-9)


class Twice(nn.Module):
    """One layer, used twice; or two that are equal."""

    def __init__(self, shared: bool, functional: bool = False) -> None:
        super().__init__()
        self.first = zoo.filled(nn.Linear(6, 6), seed=6, scale=1)
        self.second = self.first if shared else zoo.filled(nn.Linear(6, 6), seed=6, scale=1)
        self.relu, self.functional = nn.ReLU(inplace=not shared), functional

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        h = nn.functional.relu(h) if self.functional else self.relu(h)
        h += x
        return self.second(h) + h


def test_a_shared_layer_is_two_and_a_function_is_a_module() -> None:
    rows = zoo.normal(4, 6, seed=2).double()
    maps = [
        Lrp(composite=EpsilonPlus(dense=ZPlus())).attribute(zoo.model(Twice(*how), channels=6, dtype=torch.float64), rows, 2).values
        for how in ((False,), (True,), (True, True))
    ]
    assert maps[0].abs().sum() > 0
    assert_close(maps[1], maps[0], 1e-12)
    assert_close(maps[2], maps[0], 1e-12)


class Normalised(nn.Module):
    """A convolution and a batch normalisation, registered in either order."""

    def __init__(self, backwards: bool) -> None:
        super().__init__()
        layers = {"norm": nn.BatchNorm2d(4), "conv": nn.Conv2d(3, 4, 3), "head": nn.Linear(4, 2)}
        for name in reversed(layers) if backwards else layers:
            self.add_module(name, zoo.filled(layers[name], seed=7, scale=1))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(nn.functional.relu(self.norm(self.conv(x))).mean((2, 3)))


@pytest.mark.parametrize("composite", ["epsilon_plus", "epsilon_plus_flat", "epsilon_gamma_box", "epsilon_alpha2_beta1"])
def test_a_fused_normalisation_is_the_fused_layer_and_registration_plays_no_part(composite: str) -> None:
    images = zoo.images(2, dtype=torch.float64)
    forwards, backwards = (zoo.model(Normalised(how), dtype=torch.float64) for how in (False, True))
    backwards.module.load_state_dict(forwards.module.state_dict())
    fused = zoo.model(Normalised(False), dtype=torch.float64)
    fused.module.load_state_dict(forwards.module.state_dict())
    fused.module.conv = nn.utils.fusion.fuse_conv_bn_eval(fused.module.eval().conv, fused.module.norm)
    fused.module.norm = nn.Identity()
    method = Lrp(composite=composite)
    expected = method.attribute(fused, images, 1).values
    assert_close(method.attribute(forwards, images, 1).values, expected, 1e-10)
    assert_close(method.attribute(backwards, images, 1).values, expected, 1e-10)


def test_deep_taylor_of_a_positive_score_is_positive() -> None:
    model = zoo.model(Normalised(False), dtype=torch.float64)
    lower, upper = model.bounds.like(zoo.images(1, dtype=torch.float64))
    images = zoo.images(6, dtype=torch.float64).clamp(lower, upper)
    for bounded in (True, False):
        found = DeepTaylor(bounded=bounded).attribute(model, images)
        up = found.expected_sum > 0
        assert bool(up.any())
        assert float(found.values[up].min()) >= 0


def test_epsilon_conserves_up_to_what_the_bias_takes() -> None:
    module = zoo.filled(nn.Linear(6, 3).double(), seed=8, scale=1)
    x = zoo.normal(1, 6, seed=3).double()
    found = Lrp(composite=LrpEpsilon(dense=Epsilon(stabiliser=BARE))).attribute(
        zoo.model(module, channels=6, dtype=torch.float64), x, 1
    )
    assert found.values.sum().item() == pytest.approx(module(x)[0, 1].item() - module.bias[1].item(), rel=1e-9)
    assert found.expected_sum.item() == pytest.approx(module(x)[0, 1].item())


def test_without_rules_relevance_is_the_gradient() -> None:
    model, images = zoo.model(zoo.residual(), dtype=torch.float64), zoo.images(3, dtype=torch.float64)
    found = relevance(model, images, torch.tensor([1, 1, 1]), GuidedRelu(activation=None))[0]
    assert_close(found, Gradient().attribute(model, images, 1).values, 1e-12)


@twin_of("deconv_net", "guided_backprop")
@pytest.mark.parametrize("functional", [False, True])
def test_guided_backprop_and_deconvnet_are_written_out(functional: bool) -> None:
    """y = v · relu(W x), g = 1[W x > 0]: DeconvNet is Wᵀ max(v, 0), guided backprop Wᵀ (g max(v, 0)), the gradient Wᵀ (g v)."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.below, self.relu, self.above = nn.Linear(5, 7, bias=False), nn.ReLU(), nn.Linear(7, 3, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            h = self.below(x)
            return self.above(nn.functional.relu(h) if functional else self.relu(h))

    net = zoo.filled(Net().double(), seed=9, scale=2)
    model, x = zoo.model(net, channels=5, dtype=torch.float64), zoo.normal(1, 5, seed=1).double()
    weight, v = net.below.weight.detach(), net.above.weight.detach()[2]
    open_ = (weight @ x[0] > 0).double()
    expected = {DeconvNet(): v.clamp_min(0), GuidedBackpropMethod(): open_ * v.clamp_min(0), Gradient(): open_ * v}
    maps = [method.attribute(model, x, 2).values[0] for method in expected]
    for found, arriving in zip(maps, expected.values(), strict=True):
        assert_close(found, weight.T @ arriving, 1e-12)
    assert not torch.allclose(maps[1], maps[2])
