"""Gradients through batch normalisation in evaluation mode are those of an affine function, for any number and layout of images."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from heatproof.methods import DeconvNet, DeepLift, Gradient, GuidedBackprop, InputXGradient, IntegratedGradients
from heatproof.methods.base import Method
from heatproof.passes.activation import activation_gradients
from heatproof.tracing.affine_batch_norm import affine_batch_norm
from tests.support import zoo

CHANNELS = 5
SHAPES = {"BatchNorm1d": (9,), "BatchNorm2d": (3, 3), "BatchNorm3d": (2, 3, 3)}
EPS = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 2e-2}


def statistics(norm: Any) -> Any:
    """The module in evaluation mode with statistics and weights that are not trivial."""
    values = [0.5 + torch.rand(CHANNELS, generator=torch.Generator().manual_seed(i)) for i in range(4)]
    with torch.no_grad():
        norm.running_mean.copy_(3 * values[0])
        norm.running_var.copy_(values[1])
        if norm.affine:
            norm.weight.copy_(values[2])
            norm.bias.copy_(values[3])
    return norm.eval().requires_grad_(False)


def scale_of(norm: Any) -> Tensor:
    scale = 1 / (norm.running_var.double() + norm.eps).sqrt()
    return scale * norm.weight.double() if norm.affine else scale


def layouts(above: Tensor, like: Tensor) -> dict[str, Tensor]:
    """One number for each channel, spread over the positions in several layouts."""
    spread = above.view(1, -1, *[1] * (like.ndim - 2)).expand_as(like)
    tokens = spread.flatten(2).transpose(1, 2).contiguous().transpose(1, 2).view(like.shape)
    return {"dense": spread.contiguous(), "expanded": spread, "tokens": tokens}


@pytest.mark.parametrize("affine", [True, False], ids=["weights", "no weights"])
@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("dtype", EPS, ids=str)
@pytest.mark.parametrize("kind", SHAPES)
def test_the_gradient_is_the_scale_times_what_comes_from_above(kind: str, dtype: torch.dtype, rows: int, affine: bool) -> None:
    norm = statistics(getattr(nn, kind)(CHANNELS, affine=affine)).to(dtype)
    x = zoo.normal(rows, CHANNELS, *SHAPES[kind], dtype=dtype).requires_grad_()
    with affine_batch_norm(zoo.model(norm, channels=CHANNELS, dtype=dtype)):
        y = norm(x)
    expected = F.batch_norm(*[each.double() for each in (x, norm.running_mean, norm.running_var)], eps=norm.eps)
    shape = (1, -1, *[1] * (x.ndim - 2))
    expected = expected * norm.weight.double().view(shape) + norm.bias.double().view(shape) if affine else expected
    assert y.dtype == dtype
    assert torch.allclose(y.double(), expected, rtol=EPS[dtype], atol=EPS[dtype])
    above = zoo.normal(CHANNELS, seed=1, dtype=dtype)
    for layout, each in layouts(above, y).items():
        (found,) = torch.autograd.grad(y, x, each, retain_graph=True)
        right = (scale_of(norm) * above.double()).view(shape).expand_as(x)
        assert found.dtype == dtype
        assert torch.allclose(found.double(), right, rtol=EPS[dtype], atol=EPS[dtype]), layout


FORMS: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "module": lambda n, x: n(x),
    "function": lambda n, x: F.batch_norm(x, n.running_mean, n.running_var, n.weight, n.bias, False, 0.1, n.eps),
    "torch": lambda n, x: torch.batch_norm(x, n.weight, n.bias, n.running_mean, n.running_var, False, 0.1, n.eps, False),
    "instance norm": lambda n, x: F.instance_norm(x, n.running_mean, n.running_var, n.weight, n.bias, False, 0.1, n.eps),
}


class Tokens(nn.Module):
    """Affine: convolution, batch normalisation, tokens, mean over the tokens, and a dense layer."""

    def __init__(self, form: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        self.stem, self.norm, self.head, self.form = (
            nn.Conv2d(3, CHANNELS, 3),
            nn.BatchNorm2d(CHANNELS),
            nn.Linear(CHANNELS, 4),
            form,
        )
        zoo.filled(self, seed=4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.form(self.norm, self.stem(x)).flatten(2).transpose(1, 2).mean(1))

    def slope(self, like: Tensor, target: int) -> Tensor:
        """The gradient in closed form, by a transposed convolution."""
        h, w = like.shape[2] - 2, like.shape[3] - 2
        above = (self.head.weight[target] * scale_of(self.norm) / (h * w)).view(1, -1, 1, 1).expand(1, -1, h, w)
        return F.conv_transpose2d(above, self.stem.weight).detach()


GRADIENTS = [Gradient(), GuidedBackprop(), DeconvNet()]
SHARES = [InputXGradient(), IntegratedGradients(baseline="zero", quadrature={"steps": 4}), DeepLift(baseline="zero")]


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method", [*GRADIENTS, *SHARES], ids=lambda method: method.name)
def test_methods_explain_an_affine_network_of_tokens_exactly(method: Method, form: str, rows: int) -> None:
    network, images = Tokens(FORMS[form]), zoo.images(rows, dtype=torch.float64)
    model = zoo.model(network, dtype=torch.float64)
    slope = network.slope(images, 1)
    right = slope.expand_as(images) if method in GRADIENTS else slope * images
    for _ in range(2):  # the first call measures memory
        assert torch.allclose(method.attribute(model, images, 1).values, right, rtol=1e-9, atol=1e-12)


def test_gradients_at_a_layer_are_right_too() -> None:
    network, images = Tokens(FORMS["module"]), zoo.images(1, dtype=torch.float64)
    model, target = zoo.model(network, dtype=torch.float64), torch.tensor([1])
    ((_, found),) = activation_gradients(model, images, target, "stem")
    right = (network.head.weight[1] * scale_of(network.norm) / 36).detach().view(1, -1, 1, 1).expand(1, -1, 6, 6)
    assert found.gradient is not None
    assert torch.allclose(found.gradient, right)


def test_statistics_of_the_batch_stay_those_of_the_batch() -> None:
    norm, x = nn.BatchNorm2d(CHANNELS, track_running_stats=False), zoo.normal(4, CHANNELS, 3, 3)
    with affine_batch_norm(zoo.model(norm, channels=CHANNELS)):
        assert torch.equal(norm(x), F.batch_norm(x, None, None, norm.weight, norm.bias, True))


def test_a_network_that_gets_a_normalisation_later_is_not_taken_for_one_without() -> None:
    network, x = nn.Sequential(nn.Conv2d(3, CHANNELS, 3)), zoo.images(1).requires_grad_()
    model = zoo.model(network)
    for kind in ("ConvolutionBackward0", "AddBackward0", "AddBackward0"):
        with affine_batch_norm(model):
            assert type(network(x).grad_fn).__name__ == kind
        if len(network) == 1:
            network.append(statistics(nn.BatchNorm2d(CHANNELS)))
