"""The note of a map that is zero or not finite states what is known about it, and nothing else."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from heatproof.core.settings import exports
from heatproof.methods import (
    Competition,
    DeepLift,
    EdgeMap,
    GradCam,
    Gradient,
    InputMap,
    InputXGradient,
    IntegratedGradients,
    Lrp,
    Method,
    SmoothGrad,
)
from heatproof.models import Bounds, Model, Regression


class Function(nn.Module):
    """A network without parameters."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def note(method: Method, function: Callable[[Tensor], Tensor] | nn.Module, images: Tensor) -> str:
    module = function if isinstance(function, nn.Module) else Function(function)
    model = Model(module, Bounds.of(0, 1, channels=images.shape[1]), output=Regression())
    return method.attribute(model, images, target=0).notes[0]


BLACK = torch.zeros(1, 1, 4, 4)
HALF_BLACK = torch.cat([BLACK[..., :2], BLACK[..., :2] + 0.5], 3)

UNDEFINED: dict[str, Callable[[Tensor], Tensor]] = {
    "sqrt": lambda x: (x**2).sum((1, 2, 3)).sqrt()[:, None],
    "pow": lambda x: x.pow(0.5).mean((1, 2, 3))[:, None],
    "log": lambda x: torch.where(x > 0, x.log(), 0.0).mean((1, 2, 3))[:, None],
    "div": lambda x: torch.where(x > 0, 1 / x, 0.0).mean((1, 2, 3))[:, None],
}


@pytest.mark.parametrize("operation", UNDEFINED)
@pytest.mark.parametrize("method", [Gradient(), InputXGradient(), IntegratedGradients()], ids=lambda method: method.name)
def test_an_operation_without_a_gradient_is_named(method: Method, operation: str) -> None:
    expected = f"the map holds NaN or infinity: {operation.replace('div', 'reciprocal')} in the network has no finite gradient"
    assert note(method, UNDEFINED[operation], BLACK).startswith(expected)
    assert "float64" not in note(method, UNDEFINED[operation], BLACK)


def test_an_output_that_is_not_finite_is_stated() -> None:
    expected = "the map holds NaN or infinity: the explained output is -inf for this image"
    assert note(DeepLift(baseline="white"), lambda x: x.relu().log().mean((1, 2, 3))[:, None], HALF_BLACK) == expected


def test_a_cause_that_is_not_at_the_image_is_not_sought_there() -> None:
    found = note(
        IntegratedGradients(baseline="white"), lambda x: torch.where(x < 1, (1 - x).sqrt(), 0.0).sum((1, 2, 3))[:, None], BLACK
    )
    assert found == ""
    found = note(
        IntegratedGradients(quadrature={"name": "left_riemann", "steps": 2}),
        lambda x: (x - 0.0).pow(0.5).sum((1, 2, 3))[:, None],
        BLACK + 0.5,
    )
    assert found == (
        "the map holds NaN or infinity: the explained output and its gradient are finite at this image, but not wherever else the "
        "method computes"
    )


def test_float64_is_suggested_where_a_product_overflows_and_then_helps() -> None:
    images = torch.ones(1, 1, 2, 2)

    def overflowing(x: Tensor) -> Tensor:
        """Every number of the forward pass fits into float32, and 1e30 · 1e30 of the backward pass does not."""
        return (x * 1e-30 * 1e30 * 1e30).sum((1, 2, 3))[:, None]

    assert note(Gradient(), overflowing, images) == (
        "the map holds NaN or infinity: the gradient is not finite from mul on, in float32; try float64"
    )
    double = Function(overflowing)
    double.register_buffer("one", torch.zeros(1, dtype=torch.float64))
    assert note(Gradient(), double, images.double()) == ""


def absorbed() -> nn.Sequential:
    """A network whose score comes from biases alone: its first layer is off for every image."""
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(32, 2))
    with torch.no_grad():
        network[0].weight.fill_(-1.0)
        network[0].bias.zero_()
        network[3].bias.fill_(3.0)
    return network.eval()


def test_a_zero_map_is_explained_by_what_makes_maps_of_its_method_zero() -> None:
    images = torch.rand(1, 1, 4, 4, generator=torch.Generator().manual_seed(0)) + 0.1
    rounded = Function(lambda x: (x * 255).round().mean((1, 2, 3))[:, None])
    starts = "the map is zero everywhere: "
    assert note(Gradient(), rounded, images).startswith(starts + "the gradient is zero wherever it was taken (a flat or unused")
    assert "rounding" in note(IntegratedGradients(), rounded, images)
    assert "if it does anywhere" in note(IntegratedGradients(), rounded, BLACK)
    assert note(Lrp(), absorbed(), images).startswith(starts + "nothing reaches the input by the rules of the method")
    assert "biases" in note(Lrp(), absorbed(), images)
    assert note(GradCam(layer="1"), absorbed(), images).startswith(starts + "the channels of the layer are zero")
    assert note(EdgeMap(), absorbed(), images * 0 + 0.3) == starts + "the image has no edges"
    assert note(InputMap(), absorbed(), BLACK) == starts + "so is the image"
    assert "saturated" not in note(SmoothGrad(samples=2), absorbed(), images)


def test_every_method_that_can_be_zero_says_why() -> None:
    silent = {name for name, method in exports(Method).items() if issubclass(method, Method) and not method.zero_because}
    assert silent == {"random_map", "constant_map", "centre_map"}


def test_values_that_are_not_finite_lose_no_competition() -> None:
    found = Competition(method="gradient", rivals=1).attribute(
        Model(Function(lambda x: torch.cat([UNDEFINED["pow"](x), x.mean((1, 2, 3))[:, None]], 1)), Bounds.of(0, 1, channels=1)),
        HALF_BLACK,
        target=0,
    )
    assert found.values[..., :2].isnan().all()
    assert found.values[..., 2:].isfinite().all()
