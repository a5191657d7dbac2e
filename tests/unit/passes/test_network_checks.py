"""A network is checked when it is first met: its outputs and gradients for an image must depend on that image alone."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from heatproof.core.errors import ModelError
from heatproof.edits.randomise import blocks, randomised
from heatproof.methods import DeepLift, GradCam, Gradient, GuidedBackprop, IntegratedGradients, Lrp, ScoreCam
from heatproof.metrics import PixelFlipping
from heatproof.passes.counting import count_passes
from heatproof.passes.network_checks import check_network
from tests.support import zoo
from tests.support.close import assert_close
from tests.support.state import state_of

Function = Callable[[nn.Module, Tensor], Tensor]


class Awkward(nn.Module):
    """A convolution, something awkward, and a dense layer."""

    def __init__(self, between: Function) -> None:
        super().__init__()
        self.stem, self.head, self.between = nn.Conv2d(3, 6, 3), nn.Linear(6, 4), between
        zoo.filled(self, seed=5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.between(self, F.silu(self.stem(x))).mean((2, 3)))


class Remembers(nn.Module):
    """A recurrent layer that begins where the last call ended."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.head, self.state = nn.GRU(24, 5, batch_first=True), nn.Linear(5, 4), None

    def forward(self, x: Tensor) -> Tensor:
        out, self.state = self.cell(x.transpose(1, 2).flatten(2), self.state)
        return self.head(out[:, -1])


class Averages(nn.Module):
    """Scales by a running mean of the images' means, a buffer that every call updates."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3 * zoo.SIDE**2, 4)
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.mean = 0.9 * self.mean + 0.1 * x.detach().mean()
        return self.head((x - self.mean).flatten(1))


class Twisted(torch.autograd.Function):
    """The identity; its backward pass hands each image the gradient of another."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> Tensor:
        return above[0].roll(1, 0)


def counter(module: nn.Module, h: Tensor) -> Tensor:
    module.calls = getattr(module, "calls", 0) + 1
    return h * (1 + module.calls / 100)


RANDOM, STATE, BATCH, BACKWARD = (
    "expected the same outputs whenever an image passes.*it draws random numbers",
    "expected the same outputs whenever an image passes.*it keeps state from one call to the next",
    "expected outputs for an image that do not depend on the other images of its batch.*alone and beside another",
    "expected gradients for an image that do not depend on the other images of its batch.*though the outputs agree",
)
IMPURE: dict[str, tuple[Callable[[], nn.Module], str]] = {
    **zoo.IMPURE,
    "dropout in a function": (lambda: Awkward(lambda _, h: F.dropout(h, 0.5)), RANDOM),
    "a layer that is seldom left out": (lambda: Awkward(lambda _, h: h * (torch.rand(()) > 0.02)), RANDOM),
    "noise that is seldom added": (lambda: Awkward(lambda _, h: h + (torch.rand(()) > 0.98)), RANDOM),
    "noise": (lambda: Awkward(lambda _, h: h + torch.rand_like(h) / 1000), "first in Awkward; it draws random numbers"),
    "a counter": (lambda: Awkward(counter), STATE),
    "a running mean": (Averages, STATE),
    "a recurrent state": (Remembers, "first in Remembers; it keeps state"),
    "centred over the batch": (lambda: Awkward(lambda _, h: h - h.mean(0)), BATCH + ", first in Awkward"),
    "sorted over the batch": (lambda: Awkward(lambda _, h: h.sort(0).values), BATCH),
    "scaled by the batch": (lambda: Awkward(lambda _, h: h / h.amax()), BATCH),
    "softmax over the batch": (lambda: nn.Sequential(zoo.residual(), nn.Softmax(0)), BATCH + r", first in 1 \(Softmax\)"),
    "twisted gradients": (lambda: Awkward(lambda _, h: Twisted.apply(h).square()), BACKWARD),
}


SEEN = [(name, dtype) for name in IMPURE for dtype in (torch.float32, torch.float64, torch.bfloat16)]
SEEN.remove(("noise", torch.bfloat16))  # it is less than rounding there


@pytest.mark.parametrize(("name", "dtype"), SEEN, ids=lambda each: str(each))
def test_a_network_that_is_no_pure_function_of_each_image_is_refused_by_name(name: str, dtype: torch.dtype) -> None:
    build, words = IMPURE[name]
    model, images = zoo.model(build(), dtype=dtype, chunk=None), zoo.images(3, dtype=dtype)
    with pytest.raises(ModelError, match=words):
        check_network(model, images, gradients=True)


def test_a_module_that_enlarges_what_an_earlier_one_causes_is_not_named() -> None:
    for seed in range(40):
        torch.manual_seed(seed)
        with pytest.raises(ModelError, match="first in Remembers; it keeps state"):
            check_network(zoo.model(Remembers()), zoo.images(1), gradients=True)


METHODS = [Gradient(), IntegratedGradients(), GradCam(), ScoreCam(), Lrp(), DeepLift(), GuidedBackprop()]


@pytest.mark.parametrize("name", ["batch statistics", "dropout left on", "a counter", "a recurrent state"])
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_there_is_one_error_for_all_engines(method: Any, name: str) -> None:
    build, words = IMPURE[name]
    with pytest.raises(ModelError, match=words):
        method.attribute(zoo.model(build()), zoo.images(2))


def test_metrics_refuse_such_a_network_too() -> None:
    with pytest.raises(ModelError, match=BATCH):
        PixelFlipping().score(zoo.model(zoo.normalised_by_the_batch()), zoo.images(2), 0, zoo.images(2, seed=1))


@pytest.mark.parametrize("name", zoo.NETWORKS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_a_pure_network_passes_with_seven_forward_and_five_backward_passes(name: str, dtype: torch.dtype) -> None:
    counting = zoo.Counting(zoo.NETWORKS[name]())
    check_network(zoo.model(counting, dtype=dtype), zoo.images(2, dtype=dtype), gradients=True)
    if dtype == torch.float64:
        assert (counting.forward_rows, counting.backward_rows) == (7, 5)


def test_the_check_is_made_once_for_weights_shape_and_type_and_is_not_counted() -> None:
    counting, images = zoo.Counting(zoo.residual()), zoo.images(4)

    def passed(*, gradients: bool = True, images: Tensor = images, **fields: Any) -> tuple[int, int]:
        counting.rows.forward = counting.rows.backward = 0
        with count_passes() as passes:
            check_network(zoo.model(counting, **fields), images, gradients=gradients)
        assert (passes.forward, passes.backward) == (0, 0)
        return counting.forward_rows, counting.backward_rows

    assert passed(gradients=False) == (7, 0)
    assert passed(gradients=False) == (0, 0)
    assert passed() == (7, 5)
    assert passed() == passed(gradients=False) == passed(images=images[1:2]) == passed(chunk=None) == (0, 0)
    assert passed(images=zoo.images(2, side=12)) == (7, 5)
    with torch.no_grad():
        counting.inner.head.weight.mul_(2)
    assert passed() == (7, 5)
    assert passed(chunk=1) == (4, 2)


def test_an_edited_copy_counts_as_the_network_that_it_was_made_from() -> None:
    counting, images = zoo.Counting(zoo.residual()), zoo.images(2)
    model = zoo.model(counting)
    check_network(model, images, gradients=True)
    other = randomised(model, blocks(model, images))
    counting.rows.forward = 0
    check_network(other, images, gradients=True)
    assert counting.forward_rows == 0


@pytest.mark.parametrize("name", [name for name in IMPURE if name not in ("a counter", "a recurrent state")])
def test_the_network_and_the_random_state_are_left_as_they_were(name: str) -> None:
    module = IMPURE[name][0]().train()
    before, random = state_of(module), torch.get_rng_state()
    with pytest.raises(ModelError):
        check_network(zoo.model(module), zoo.images(2), gradients=True)
    assert state_of(module) == before
    assert torch.equal(random, torch.get_rng_state())


@pytest.mark.parametrize("error", [RuntimeError("broken layer"), KeyboardInterrupt()], ids=["error", "interrupt"])
@pytest.mark.parametrize("after", [0, 1])
def test_the_network_is_left_as_it_was_when_it_fails_in_the_check(error: BaseException, after: int) -> None:
    module = zoo.Failing(zoo.residual().train(), error, after)
    before, random = state_of(module), torch.get_rng_state()
    with pytest.raises(type(error), match=str(error) or None):
        check_network(zoo.model(module), zoo.images(2), gradients=True)
    assert state_of(module) == before
    assert torch.equal(random, torch.get_rng_state())


@pytest.mark.parametrize("name", ["batch statistics", "centred over the batch"])
def test_images_that_never_meet_cannot_disturb_each_other(name: str) -> None:
    model, images = zoo.model(IMPURE[name][0](), chunk=1), zoo.images(3)
    found = Gradient().attribute(model, images, 1).values
    alone = torch.cat([Gradient().attribute(model, image[None], 1).values for image in images])
    assert torch.equal(found, alone)
    with pytest.raises(ModelError, match=BATCH):
        check_network(model.with_(chunk=2), images, gradients=True)


def test_a_network_for_one_image_is_told_so_and_works_with_a_chunk_of_one() -> None:
    module = Awkward(lambda _, h: h.view(1, 6, 6, 6))
    with pytest.raises(ModelError, match=r"expected a network that takes several images at once, got an error for two .*chunk=1"):
        check_network(zoo.model(module), zoo.images(1), gradients=True)
    assert Gradient().attribute(zoo.model(module, chunk=1), zoo.images(3), 0).values.any()


def test_an_error_of_the_network_itself_says_which_network_met_which_shape() -> None:
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied") as raised:
        Gradient().attribute(zoo.model(nn.Sequential(nn.Flatten(), nn.Linear(5, 4)), name="mine"), zoo.images(2), 1)
    assert raised.value.__notes__ == [f"mine raised this when it was first given one image of shape {[3, zoo.SIDE, zoo.SIDE]}."]


class Squeezing(nn.Module):
    """A regressor whose output is [8] for eight rows, [] for one."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(7, 5), nn.Tanh(), nn.Linear(5, outputs))
        zoo.filled(self, seed=6)

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x).squeeze()


@pytest.mark.parametrize("chunk", [None, 1, 4])
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("method", [Gradient(), IntegratedGradients(), Lrp(), DeepLift()], ids=lambda method: method.name)
def test_a_regressor_that_squeezes_its_output_is_explained_in_batches_of_any_size(
    method: Any, outputs: int, chunk: int | None
) -> None:
    squeezing, rows = Squeezing(outputs), zoo.table(5)
    model, plain = (zoo.model(each, channels=7, chunk=chunk) for each in (squeezing, squeezing.network))
    for batch in (rows, rows[:1]):
        assert_close(method.attribute(model, batch).values, method.attribute(plain, batch).values, 1e-6)


def unused(_: nn.Module, h: Tensor) -> Tensor:
    torch.rand(3)
    return h


HARMLESS: dict[str, Function] = {
    "random numbers that nothing uses": unused,
    "outputs that are rounding of zero": lambda _, h: h - h.mean((2, 3), keepdim=True),
    "kinks at rounding of zero": lambda _, h: F.relu(h - h.mean((2, 3), keepdim=True).repeat(1, 1, 6, 6)),
    "NaN": lambda _, h: h.log(),
    "infinity": lambda _, h: h / 0,
    "one number for all images": lambda _, h: torch.ones_like(h),
    "float32 inside": lambda _, h: F.softmax(h.float().flatten(2), -1).view(h.shape).to(h.dtype),
    "a cut graph": lambda _, h: h.detach(),
    "a backward pass that fails": lambda _, h: (y := h.exp()).mul(h) + y.mul_(2),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", HARMLESS)
def test_what_looks_impure_and_is_not_is_no_alarm(name: str, dtype: torch.dtype) -> None:
    check_network(zoo.model(Awkward(HARMLESS[name]), dtype=dtype), zoo.images(2, dtype=dtype), gradients=True)
