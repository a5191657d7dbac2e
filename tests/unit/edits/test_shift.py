import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from heatproof.core.errors import ModelError, TensorError
from heatproof.edits.shift import shifted
from heatproof.models import Bounds, Model
from tests.support import zoo
from tests.support.state import state_of


def conv(**settings: object) -> nn.Module:
    return zoo.filled(nn.Sequential(nn.Conv2d(6, 12, 3, **settings), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten()), seed=3)


class Own(nn.Module):
    """A network whose first operations are of the kind named."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.conv, self.again = kind, nn.Conv2d(6, 6, 3, padding=1), nn.Conv2d(6, 6, 5, padding=2, bias=False)
        self.norm, self.weight = nn.BatchNorm2d(6), nn.Parameter(torch.zeros(4, 486))

    def forward(self, x: Tensor) -> Tensor:
        constant = torch.arange(1.0, 7.0, dtype=x.dtype).view(1, 6, 1, 1)
        first = {
            "normalised by constants": lambda: self.conv((x - constant) / (2 * constant)),
            "by other names": lambda: self.conv(torch.true_divide(torch.multiply(x, constant), constant + 1)),
            "batch normalisation": lambda: self.conv(self.norm(x)),
            "reflected borders": lambda: self.conv(F.pad(x, (1, 2, 0, 1), mode="reflect")),
            "two branches": lambda: self.conv(x) + self.again(x),
            "parts": lambda: self.conv(torch.cat(x.chunk(2, 1)[::-1], 1)),
            "pooled": lambda: self.conv(F.avg_pool2d(x, 2)),
            "by its shape": lambda: self.conv(x.reshape(x.shape[0], 6, *x.shape[2:])),
            "matrix": lambda: x.flatten(1) @ self.weight.T,
            "residual": lambda: x + self.conv(x),
            "product with itself": lambda: self.conv(x * x),
            "gated": lambda: self.conv(x * self.again(x).sigmoid()),
            "reciprocal": lambda: self.conv(1 / x),
            "in place": lambda: self.conv(x.add_(1)),
            "activation": lambda: self.conv(F.relu(x)),
            "written over": lambda: self.conv(overwritten(x)),
            "standardised by itself": lambda: self.conv((x - x.mean((2, 3), keepdim=True)) / x.std((2, 3), keepdim=True)),
        }[self.kind]()
        return F.silu(first).flatten(1)[:, :5]


def overwritten(x: Tensor) -> Tensor:
    x[:, 0] = 0
    return x


def shift(kind: str) -> Tensor:
    found = zoo.normal(6, 9, 9, seed=4, dtype=torch.float64)
    return found[:, 0, 0] if kind == "constant" else found


def gap(module: nn.Module, by: Tensor) -> float:
    """max |f2(x + m) − f1(x)|."""
    model, images = zoo.model(module.eval(), channels=6, dtype=torch.float64), zoo.images(3, 6, side=9, dtype=torch.float64)
    moved = images + by.view(6, *(by.shape[1:] or (1, 1)))
    with torch.no_grad():
        return float((shifted(model, by).outputs(moved) - model.outputs(images.clone())).abs().max())


@pytest.mark.parametrize("kind", ["constant", "picture"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"padding": 1},
        {"padding": 2, "stride": 2, "groups": 3},
        {"padding": 3, "dilation": 2, "bias": False},
        {"padding": "same", "groups": 6},
        {"padding": 1, "padding_mode": "circular"},
    ],
    ids=str,
)
def test_a_shift_is_made_up_for_exactly_by_any_convolution(settings: dict[str, object], kind: str) -> None:
    assert gap(conv(**settings), shift(kind)) < 1e-12


@pytest.mark.parametrize("kind", ["constant", "picture"])
def test_a_shift_is_made_up_for_by_dense_and_transposed_layers(kind: str) -> None:
    assert gap(zoo.filled(nn.Sequential(nn.Flatten(), nn.Linear(486, 4)), 3), shift(kind)) < 1e-12
    assert gap(zoo.filled(nn.Sequential(nn.ConvTranspose2d(6, 4, 3, stride=2), nn.Flatten()), 3), shift(kind)) < 1e-12


AFFINE = ["normalised by constants", "batch normalisation", "reflected borders", "two branches", "parts", "pooled"]
AFFINE += ["by its shape", "matrix", "by other names"]


@pytest.mark.parametrize("before", AFFINE)
def test_what_is_affine_before_the_first_weights_takes_the_shift_along(before: str) -> None:
    assert gap(zoo.filled(Own(before), 5), shift("picture")) < 1e-12


@pytest.mark.parametrize(
    "before",
    ["residual", "product with itself", "gated", "reciprocal", "in place", "activation", "written over", "standardised by itself"],
)
def test_an_input_that_is_used_otherwise_is_refused(before: str) -> None:
    with pytest.raises(ModelError, match="layers with weights, after steps that are affine at most, got"):
        gap(zoo.filled(Own(before), 5), shift("constant"))


def test_it_acts_on_a_copy_whose_parameters_keep_their_names_and_whose_content_differs() -> None:
    module = zoo.residual()
    model = zoo.model(module)
    before = state_of(module)
    other = shifted(model, torch.tensor([1.0, 2.0, -1.0]))
    other.outputs(zoo.images(2))
    assert state_of(module) == before
    assert [name for name, _ in other.module.named_parameters()] == [name for name, _ in module.named_parameters()]
    assert not {p.data_ptr() for p in other.module.parameters()} & {p.data_ptr() for p in module.parameters()}
    assert len({model.digest, other.digest, shifted(model, torch.tensor([1.0, 2.0, 1.0])).digest}) == 3


def test_shifts_add_up_also_in_a_copy() -> None:
    model, images = zoo.model(zoo.residual().eval(), dtype=torch.float64), zoo.images(2, dtype=torch.float64)
    a, b = torch.tensor([1.0, 2.0, -1.0]).double(), zoo.normal(3, 8, 8, dtype=torch.float64)
    twice = shifted(shifted(model, a), b)
    moved = images + a.view(3, 1, 1) + b
    expected = model.outputs(images).detach()
    assert (twice.outputs(moved) - expected).abs().max() < 1e-12
    assert (copy.deepcopy(twice.module)(moved) - expected).abs().max() < 1e-12


def test_bounds_move_with_a_constant_shift_and_widen_for_a_picture() -> None:
    model = Model(conv(), Bounds.of(0, 1, 6))
    moved = shifted(model, torch.full((6,), -1.0)).bounds
    assert (moved.lower.tolist(), moved.upper.tolist()) == ([-1.0] * 6, [0.0] * 6)
    picture = torch.zeros(6, 9, 9)
    picture[2, 0, 0], picture[2, 0, 1] = -0.25, 0.5
    wide = shifted(model, picture).bounds
    assert (wide.lower.tolist(), wide.upper.tolist()) == ([0, 0, -0.25, 0, 0, 0], [1, 1, 1.5, 1, 1, 1])


@pytest.mark.parametrize("wrong", [(6, 8, 8), (6, 9, 9, 1)])
def test_a_shift_that_does_not_fit_the_images_is_refused_when_they_come(wrong: tuple[int, ...]) -> None:
    with pytest.raises(TensorError, match="shift: expected one that fits images"):
        shifted(zoo.model(conv(), channels=6), torch.zeros(wrong)).outputs(zoo.images(1, 6, side=9))


@pytest.mark.parametrize("wrong", [torch.zeros(5), torch.full((6,), torch.nan)], ids=["few", "NaN"])
def test_a_shift_that_does_not_fit_is_refused(wrong: Tensor) -> None:
    with pytest.raises(TensorError, match="shift: expected finite values for 6 channels"):
        shifted(zoo.model(conv(), channels=6), wrong)
