"""An activation has one map however it is written, or is refused by name where gradients are guided."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from heatproof.core.errors import ModelError
from heatproof.methods import DeconvNet, DeepLift, Gradient, GuidedBackprop, Lrp, Method
from heatproof.models import Bounds, Model, Regression
from tests.support import zoo
from tests.support.close import assert_close, gap

METHODS: tuple[Method, ...] = (
    *(GuidedBackprop(), DeconvNet(), DeepLift(), Lrp(composite="lrp_epsilon"), Lrp(composite="z_plus_w_square")),
    Lrp(composite="attn_lrp"),
)
Function = Callable[[Tensor], Tensor]


def written_by_index(h: Tensor) -> Tensor:
    h = h.clone()
    h[h < 0] = 0
    return h


def filled_in_place(h: Tensor) -> Tensor:
    h = h + 0
    return h.masked_fill_(h <= 0, 0.0)


def multiplied_in_place(h: Tensor) -> Tensor:
    h = h + 0
    h *= h > 0
    return h


def kept_by_mask(h: Tensor) -> Tensor:
    outside = (h < 0) | ~(h < 1e9)
    return torch.where(outside, torch.zeros_like(h), h)


SPELLINGS: dict[str, tuple[Function, Function]] = {
    "where": (F.relu, lambda h: torch.where(h > 0, h, torch.zeros_like(h))),
    "where, a number": (F.relu, lambda h: torch.where(h > 0, h, 0.0)),
    "where, the other way round": (F.relu, lambda h: torch.where(h <= 0, 0.0, h)),
    "where, several masks": (F.relu, kept_by_mask),
    "times a mask": (F.relu, lambda h: h * (h > 0)),
    "times a cast mask": (F.relu, lambda h: (h > 0).to(h.dtype) * h),
    "times a mask, in place": (F.relu, multiplied_in_place),
    "times its sign": (F.relu, lambda h: h * (torch.sign(h) + 1) / 2),
    "maximum": (F.relu, lambda h: torch.maximum(h, torch.zeros(()))),
    "max of two": (F.relu, lambda h: torch.max(torch.zeros_like(h), h)),
    "clip": (F.relu, lambda h: h.clip(min=0)),
    "masked fill": (F.relu, lambda h: h.masked_fill(h < 0, 0)),
    "masked fill, in place": (F.relu, filled_in_place),
    "indexed write": (F.relu, written_by_index),
    "half of h + |h|": (F.relu, lambda h: (h + h.abs()) / 2),
    "half of |h| + h": (F.relu, lambda h: 0.5 * (abs(h) + h)),
    "leaky by where": (lambda h: F.leaky_relu(h, 0.1), lambda h: torch.where(h > 0, h, 0.1 * h)),
    "leaky by maximum": (lambda h: F.leaky_relu(h, 0.1), lambda h: torch.maximum(h, 0.1 * h)),
    "leaky by a mask": (lambda h: F.leaky_relu(h, 0.1), lambda h: h * torch.where(h > 0, 1.0, 0.1)),
    "elu": (F.elu, lambda h: torch.where(h > 0, h, h.exp() - 1)),
    "silu": (F.silu, lambda h: h * torch.sigmoid(h)),
    "silu by exp": (F.silu, lambda h: h / (1 + torch.exp(-h))),
    "silu after relu": (lambda h: F.silu(F.relu(h)), lambda h: (u := torch.where(h > 0, h, 0.0)) * u.sigmoid()),
    "sigmoid by exp": (torch.sigmoid, lambda h: 1 / (1 + torch.exp(-h))),
    "softplus": (F.softplus, lambda h: torch.log(1 + h.exp())),
    "softsign": (F.softsign, lambda h: h / (1 + h.abs())),
    "mish": (F.mish, lambda h: h * torch.tanh(F.softplus(h))),
    "glu": (lambda h: F.glu(torch.cat([h, h.flip(1)], 1), 1), lambda h: h * h.flip(1).sigmoid()),
    "hardswish": (F.hardswish, lambda h: h * F.relu6(h + 3) / 6),
    "gelu": (F.gelu, lambda h: 0.5 * h * (1 + torch.erf(h / 2**0.5))),
    "gelu by tanh": (
        lambda h: F.gelu(h, approximate="tanh"),
        lambda h: 0.5 * h * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (h + 0.044715 * torch.pow(h, 3)))),
    ),
}
SCALED = ("times its sign", "hardswish")
"""Written with a number after the product; DeconvNet counts that number as a layer of its own."""
STEPS = ("times its sign",)
"""Written with a step function, for which LRP has no rule."""


class Net(nn.Module):
    def __init__(self, activation: Function) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Conv2d(3, 5, 3), nn.Conv2d(5, 5, 3), nn.Linear(5, 3)
        self.activation = activation
        zoo.filled(self, seed=61, scale=2)

    def forward(self, x: Tensor) -> Tensor:
        h = self.activation(self.second(self.activation(self.first(x))))
        return self.head(h.mean((2, 3)))


def maps(activation: Function, method: Method) -> Tensor:
    model = zoo.model(Net(activation), dtype=torch.float64)
    lower, upper = model.bounds.like(zoo.images(1, dtype=torch.float64))
    return method.attribute(model, zoo.images(2, dtype=torch.float64).clamp(lower, upper), 1).values


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_function_has_one_map_however_it_is_written(spelling: str) -> None:
    own, written = SPELLINGS[spelling]
    for method in METHODS:
        if (spelling in SCALED and isinstance(method, DeconvNet)) or (spelling in STEPS and isinstance(method, Lrp)):
            continue
        assert_close(maps(written, method), maps(own, method), 1e-7)  # DeepLIFT divides small differences
    assert_close(maps(written, Gradient()), maps(own, Gradient()), 1e-8)


REFUSED: dict[str, tuple[Function, str]] = {
    "absolute value": (torch.abs, "torch.abs"),
    "sine": (torch.sin, "torch.sin"),
    "sign": (torch.sign, "torch.sign"),
    "a function without a handler": (torch.atan, "torch.atan"),
    "mask of another tensor": (lambda h: h * (h.mean(1, keepdim=True) > 0), r"Tensor.mul"),
    "mask of another shape": (lambda h: torch.where((h > 0)[:, :1], h, 0.0), "torch.where"),
    "indexed write of values": (lambda h: _scaled_where_negative(h), "__setitem__"),
}


def _scaled_where_negative(h: Tensor) -> Tensor:
    h = h + 0
    h[h < 0] *= 0.1
    return h


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("method", [GuidedBackprop(), DeconvNet()], ids=lambda method: method.name)
def test_what_may_act_as_an_activation_and_has_no_rule_is_refused_by_name(method: Method, name: str) -> None:
    function, operation = REFUSED[name]
    with pytest.raises(ModelError, match=rf"Net: expected activations that the rule \w+ knows, got .*{operation}"):
        maps(function, method)


@pytest.mark.parametrize(
    "harmless",
    [
        lambda h: h.square().mean(1, keepdim=True).rsqrt() * h,
        lambda h: h.exp() / h.exp().sum(1, keepdim=True),
        lambda h: h * (h + 1),
        lambda h: torch.where(torch.ones_like(h, dtype=torch.bool), h, 0.0),
        lambda h: h + F.relu(h),
        lambda h: torch.maximum(h, h.flip(1)),
        lambda h: h.cumsum(1) * h.logsumexp(1, keepdim=True),
        lambda h: torch.fft.rfft(h, dim=3).abs().mean(3, keepdim=True) + h,
    ],
    ids=["norm", "softmax", "product", "constant mask", "residual", "maxout", "mixtures", "spectrum"],
)
def test_what_is_no_activation_is_left_to_the_gradient(harmless: Function) -> None:
    guided, plain = (maps(lambda h: harmless(F.softplus(h)), method) for method in (GuidedBackprop(), Gradient()))
    assert gap(guided, plain) > 1e-3  # softplus alone follows the rule


def test_a_residual_connection_around_an_activation_is_no_activation() -> None:
    """v·(x + relu(x)): guided backprop passes v + 1[x > 0] max(v, 0); as one activation it would pass no negative value."""
    model = Model(Residual().double(), Bounds.of(-2, 2, 3), output=Regression())
    found = GuidedBackprop().attribute(model, torch.tensor([[1.0, -1.0, 1.0]], dtype=torch.float64), 0).values
    assert found.tolist() == [[4.0, 3.0, -1.0]]


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.v = nn.Parameter(torch.tensor([[2.0, 3.0, -1.0]]))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x + F.relu(x), self.v)


def test_a_mask_written_out_is_complete_for_deep_lift() -> None:
    model = zoo.model(Net(lambda h: h * (h > 0)), dtype=torch.float64)
    found = DeepLift().attribute(model, zoo.images(3, dtype=torch.float64), 1)
    assert float(found.gap.max()) < 1e-10
