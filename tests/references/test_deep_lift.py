"""DeepLIFT against its slow twin, closed forms, captum where captum is right, and where it is not."""

import warnings
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from captum.attr import DeepLift as CaptumDeepLift
from torch import Tensor, nn

from heatproof.core.errors import ModelError
from heatproof.methods import DeepLift, Gradient
from heatproof.models import Bounds, Model, Probability, Regression
from heatproof.numerics.average_jacobian import SMOOTH, along_line, elementwise, maxima
from heatproof.passes.forward import raw_outputs
from heatproof.perturb.fills import Uniform, Zero
from tests.references import deep_lift as slow
from tests.references.twin import twin_of
from tests.support import zoo
from tests.support.close import assert_close, gap

TARGET = 1


def tabular(module: nn.Module, channels: int) -> Model:
    return zoo.model(module, channels=channels, dtype=torch.float64)


class Made(nn.Module):
    """Layers, and how they are joined."""

    def __init__(self, join: Callable[..., Tensor], *layers: nn.Module, seed: int = 51) -> None:
        super().__init__()
        self.layers, self.join = nn.ModuleList(layers), join
        zoo.filled(self, seed=seed, scale=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.join(x, *self.layers)


@twin_of("deep_lift")
@pytest.mark.parametrize("activation", [torch.relu, torch.sigmoid, torch.tanh, F.gelu])
def test_a_chain_is_its_twin(activation: Callable[[Tensor], Tensor]) -> None:
    layers = [nn.Linear(5, 6), nn.Linear(6, 4), nn.Linear(4, 3)]
    net = Made(lambda x, a, b, c: c(activation(b(activation(a(x))))), *layers).double()
    chain = [(each.weight.detach(), each.bias.detach(), activation) for each in layers]
    chain[-1] = (*chain[-1][:2], None)
    rows = zoo.normal(3, 5, seed=2).double()
    found = DeepLift().attribute(tabular(net, 5), rows, TARGET).values
    for row, values in zip(rows, found, strict=True):
        assert_close(values, slow.rescale(chain, row, torch.full((5,), -1.0, dtype=torch.float64), TARGET), 1e-12)


def test_a_linear_network_gives_weights_times_differences() -> None:
    model, images = zoo.model(zoo.Linear((3, 8, 8)), dtype=torch.float64), zoo.images(2, dtype=torch.float64)
    lower, _ = model.bounds.like(images)
    found = DeepLift().attribute(model, images, TARGET).values
    assert_close(found, (images - lower) * model.module.weight[TARGET].detach(), 1e-14)


def test_a_saturated_unit_counts_where_its_gradient_is_zero() -> None:
    """Shrikumar et al. 2017, figure 1: y = 1 − relu(1 − x₁ − x₂) at (1, 1) from 0; each input made half of the 1."""

    class Saturated(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 1 - torch.relu(1 - x.sum(1, keepdim=True))

    model, row = tabular(Saturated(), 2).with_(output=Regression()), torch.ones(1, 2)
    assert DeepLift(baseline=Zero()).attribute(model, row, 0).values.tolist() == [[0.5, 0.5]]
    assert not Gradient().attribute(model, row, 0).values.any()


def _pooled(x: Tensor, a: nn.Module, n: nn.Module, b: nn.Module, c: nn.Module) -> Tensor:
    h = F.max_pool2d(F.relu(n(a(x))), 3, 2, 1)
    h = h + F.relu(b(h), inplace=True)
    return c(F.adaptive_max_pool2d(F.avg_pool2d(h, 2), 1).flatten(1))


def _gated(x: Tensor, a: nn.Module, b: nn.Module, c: nn.Module) -> Tensor:
    h = F.silu(a(x))
    h = h * torch.sigmoid(b(h.mean((2, 3))))[:, :, None, None] / (1 + h.square().mean(1, keepdim=True))
    return c((h / h.abs().amax((2, 3), keepdim=True)).mean((2, 3)))


EXACT: dict[str, Callable[[], nn.Module]] = {
    "pools, normalisation, residual": lambda: Made(
        _pooled, nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.Conv2d(5, 5, 3, padding=1), nn.Linear(5, 3)
    ),
    "gates and quotients": lambda: Made(_gated, nn.Conv2d(3, 5, 3), nn.Linear(5, 5), nn.Linear(5, 3)),
    "lstm": lambda: Made(lambda x, a, b: b(a(x.flatten(2))[0][:, -1]), nn.LSTM(64, 4, 2, batch_first=True), nn.Linear(4, 3)),
    "gru": lambda: Made(lambda x, a, b: b(a(x.flatten(2))[1][0]), nn.GRU(64, 4, batch_first=True), nn.Linear(4, 3)),
    **{name: zoo.NETWORKS[name] for name in ("bias-free relu", "residual", "smooth", "quadratic")},
}


@pytest.mark.parametrize("name", EXACT)
def test_a_map_sums_to_the_change_of_the_score_to_rounding(name: str) -> None:
    model, images = zoo.model(EXACT[name](), dtype=torch.float64), zoo.images(3, dtype=torch.float64)
    found = DeepLift().attribute(model, images, TARGET)
    black = model.bounds.like(images)[0].expand_as(images)
    assert_close(found.expected_sum, (raw_outputs(model, images) - raw_outputs(model, black))[:, TARGET], 1e-10)
    assert float(found.gap.max()) < 1e-10


def _attended(x: Tensor, a: nn.Module, n: nn.Module, b: nn.Module) -> Tensor:
    tokens = x.flatten(2).unflatten(2, (8, 8)).permute(0, 2, 1, 3).flatten(2)
    mixed = a(tokens, tokens, tokens, need_weights=False)[0]
    return b(n(tokens + mixed).mean(1))


def test_attention_and_layer_normalisation_are_complete_to_their_nodes() -> None:
    net = Made(_attended, nn.MultiheadAttention(24, 2, batch_first=True), nn.LayerNorm(24), nn.Linear(24, 3))
    found = DeepLift().attribute(zoo.model(net, dtype=torch.float64), zoo.images(4, dtype=torch.float64), TARGET)
    assert float(found.gap.max()) < 1e-4


def test_a_probability_is_complete_to_its_nodes() -> None:
    model = zoo.model(zoo.residual(), dtype=torch.float64, output=Probability())
    assert float(DeepLift().attribute(model, zoo.images(4, dtype=torch.float64), TARGET).gap.max()) < 1e-6


def test_random_baselines_are_averaged_with_their_standard_error() -> None:
    model, images = zoo.model(zoo.smooth_conv(), dtype=torch.float64), zoo.images(2, dtype=torch.float64)
    few, many = (DeepLift(baseline=Uniform(), baselines=n).attribute(model, images, TARGET) for n in (8, 128))
    assert (few.gap < 1e-10).all()
    assert (few.error / many.error > 2).all()
    assert (gap(few.values, many.values) < 5 * few.error).all()


# --- captum ----------------------------------------------------------------------------------------------------------------


def theirs(module: nn.Module, images: Tensor, baseline: Tensor) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found: Tensor = CaptumDeepLift(module.eval()).attribute(images.clone(), baseline, target=TARGET).detach()
    return found


def compared(module: nn.Module) -> tuple[Tensor, Tensor, Tensor]:
    """Our map, captum's, and the change of the score."""
    model, images = zoo.model(module, dtype=torch.float64), zoo.images(3, dtype=torch.float64)
    black = model.bounds.like(images)[0].expand_as(images).contiguous().double()
    found = DeepLift().attribute(model, images, TARGET)
    return found.values, theirs(module, images, black), found.expected_sum


def test_captum_agrees_on_relu_modules_used_once() -> None:
    net = nn.Sequential(
        *(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.Conv2d(5, 5, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(20, 6), nn.Sigmoid()),
        nn.Linear(6, 3),
    )
    found, witness, _ = compared(zoo.filled(net, seed=52, scale=2))
    assert_close(found, witness, 1e-9)


@pytest.mark.parametrize(
    "join",
    [
        lambda x, a, b, c: c(F.relu(b(F.relu(a(x)))).mean((2, 3))),
        lambda x, a, b, c: c((a(x) * torch.sigmoid(b(a(x)))).mean((2, 3))),
    ],
    ids=["functional relu", "product of two branches"],
)
def test_functions_are_complete_here_and_not_in_captum(join: Callable[..., Tensor]) -> None:
    net = Made(join, nn.Conv2d(3, 5, 3), nn.Conv2d(5, 5, 3, padding=1), nn.Linear(5, 3))
    found, witness, expected_sum = compared(net)
    assert_close(found.flatten(1).sum(1), expected_sum, 1e-10)
    assert gap(witness.flatten(1).sum(1), expected_sum) > 1e-2


def test_a_softmax_keeps_batch_mates_apart_here_and_not_in_captum() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(192, 4), nn.Softmax(dim=1), nn.Linear(4, 3))
    zoo.filled(net, seed=53, scale=1)
    model, images = zoo.model(net, dtype=torch.float64), zoo.images(3, dtype=torch.float64)
    black = model.bounds.like(images)[0].expand_as(images).contiguous().double()
    ours = [DeepLift().attribute(model, each, TARGET).values[0] for each in (images, images[:1])]
    assert_close(ours[0], ours[1], 1e-12)
    captums = [theirs(net, images[:n], black[:n])[0] for n in (3, 1)]
    assert gap(captums[0], captums[1]) > 1e-3


# --- average slopes --------------------------------------------------------------------------------------------------------


def change_through(secant: Callable[..., object], f: Callable[..., Tensor], *ends: tuple[Tensor, Tensor]) -> Tensor:
    """How far Σ J̄ (x − b) is from Σ f(x) − f(b), row by row."""
    x, b = zip(*ends, strict=True)
    below = secant(f, x, b, torch.ones_like(f(*x)))
    sums = sum((m * (p - q)).flatten(1).sum(1) for m, p, q in zip(below, x, b, strict=True))
    return (sums - (f(*x) - f(*b)).flatten(1).sum(1)).abs()


def pair(*shape: int, seed: int) -> tuple[Tensor, Tensor]:
    return zoo.normal(*shape, seed=seed).double(), zoo.normal(*shape, seed=seed + 100).double()


def test_average_slopes_reach_from_one_point_to_the_other() -> None:
    window = lambda x: F.max_pool1d(x, 3, 1, 1)  # noqa: E731 - windows that overlap
    assert float(change_through(maxima, window, pair(4, 2, 9, seed=1)).max()) < 1e-13
    assert float(change_through(maxima, lambda x: x.amax(1), pair(4, 6, 3, seed=2)).max()) < 1e-13
    assert float(change_through(along_line(1), torch.matmul, pair(2, 3, 4, seed=3), pair(2, 4, 5, seed=4)).max()) < 1e-12
    assert float(change_through(elementwise, torch.exp, pair(4, 6, seed=5)).max()) < 1e-13
    assert float(change_through(SMOOTH, lambda x: x.softmax(1) * torch.arange(6), pair(4, 6, seed=6)).max()) < 1e-10


def test_a_slope_over_almost_nothing_is_the_derivative() -> None:
    x = torch.tensor([[0.3, -2.0, 1e-13, 5.0]], dtype=torch.float64)
    for step in (0.0, 1e-15, 1e-12, 1e-9):
        (slope,) = elementwise(torch.sigmoid, (x + step,), (x,), torch.ones_like(x))
        s = torch.sigmoid(x)
        assert_close(slope, s * (1 - s), 1e-7)


def test_a_kink_between_two_small_numbers_is_seen() -> None:
    x, b = (torch.tensor([[sign * 1e-12]], dtype=torch.float64) for sign in (3, -1))
    (slope,) = elementwise(torch.relu, (x,), (b,), torch.ones_like(x))
    assert slope.item() == pytest.approx(0.75, rel=1e-12)


# --- what is refused -------------------------------------------------------------------------------------------------------


class Choosing(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x.sigmoid() if bool((x > 0).all()) else x.tanh()).sum(1, keepdim=True)


def test_a_network_that_chooses_its_operations_by_its_input_is_refused() -> None:
    with pytest.raises(
        ModelError, match=r"same operations for an image as for its baseline, got .*sigmoid of \[1, 2\] where .*tanh"
    ):
        DeepLift().attribute(Model(Choosing(), Bounds.of(-1, 1, 2)), torch.ones(1, 2), 0)
