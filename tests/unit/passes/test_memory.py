"""Weighing rows, choosing a chunk that fits, and halving it when memory runs out."""

import pytest
import torch
from torch import nn

from heatproof.core.errors import ModelError, TensorError
from heatproof.methods import ExpectedGradients, InputXGradient, IntegratedGradients, SmoothGrad
from heatproof.passes.counting import count_passes
from heatproof.passes.forward import raw_outputs
from heatproof.passes.gradient import gradient
from heatproof.passes.memory import MOST_ROWS, chunk_size, free_memory, in_chunks, with_peak_memory
from tests.support import zoo
from tests.support.close import assert_close


class Crowded(nn.Module):
    """Runs out of memory beyond so many rows at once."""

    def __init__(self, most: int, error: Exception) -> None:
        super().__init__()
        self.inner, self.most, self.error, self.seen = zoo.residual(), most, error, []

    def forward(self, images):
        if len(images) > self.most:
            raise self.error
        self.seen.append(len(images))
        return self.inner(images)


def test_the_weight_is_what_is_alive_at_the_peak():
    kilo = torch.zeros(256)  # 1 KiB, made before: not counted

    def work():
        a = kilo + 1  # 1 alive
        b = torch.cat([a, a])  # 3
        del a  # 2
        c = b.repeat(4)  # 10
        del b
        return c.view(2, -1)[0]  # a view adds nothing

    found, peak = with_peak_memory(work)
    assert found.shape == (1024,)
    assert peak == 10 * 1024


def test_what_autograd_keeps_is_weighed():
    layers = nn.Sequential(*[nn.Sequential(nn.Linear(100, 100), nn.Tanh()) for _ in range(10)]).requires_grad_(False)
    inputs = torch.zeros(1, 100, requires_grad=True)
    forward = with_peak_memory(lambda: layers(inputs.detach()))[1]
    gradient = with_peak_memory(lambda: torch.autograd.grad(layers(inputs).sum(), inputs))[1]
    assert forward <= 3 * 400 < 10 * 400 <= gradient < 16 * 400


@pytest.mark.parametrize(("n", "size", "expected"), [(7, 3, [3, 3, 1]), (6, 3, [3, 3]), (2, 5, [2]), (0, 4, []), (5, None, [1, 4])])
def test_chunks_cover_all_rows_once(n, size, expected):
    model = zoo.model(zoo.residual(), chunk=size)
    found = [rows for rows, _ in in_chunks(model, zoo.images(1), n, lambda rows: torch.zeros(len(rows)), "forward")]
    assert [len(rows) for rows in found] == expected
    assert [row for rows in found for row in rows] == list(range(n))


@pytest.mark.parametrize("method", [InputXGradient(), SmoothGrad(samples=2)], ids=lambda m: m.name)
def test_a_chunk_is_what_the_memory_allows(method):
    images, plain, size = zoo.images(2), zoo.model(zoo.smooth_conv()), {}
    weight = with_peak_memory(lambda: gradient(plain, images[:1], torch.tensor([0])))[1]
    for memory in (None, 1, 10 * weight):
        model = zoo.model(zoo.smooth_conv(), chunk=None, memory=memory)
        method.attribute(model, images, 0)
        size[memory] = chunk_size(model, images, "gradient")
    assert size[1] == 1
    assert 3 <= size[10 * weight] <= 8
    assert size[10 * weight] < size[None] <= MOST_ROWS


def test_no_row_is_added_to_be_weighed():
    net = zoo.Counting(zoo.residual())
    model = zoo.model(net, chunk=None)
    with count_passes() as passes:
        IntegratedGradients(quadrature={"steps": 9}).attribute(model, zoo.images(3), 0)
    assert passes.backward == 27
    assert passes.forward == 27 + 6


METHODS = [
    IntegratedGradients(quadrature={"steps": 9}),
    IntegratedGradients(tolerance=0.2),
    SmoothGrad(samples=9),
    ExpectedGradients(baselines=3, strata=3),
]


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("out of memory"), RuntimeError("can't allocate memory: 8 GiB")])
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_chunk_is_halved_until_it_fits_and_that_is_remembered(method, error):
    net = Crowded(3, error)
    model, images = zoo.model(net, chunk=16), zoo.images(2)
    found = method.attribute(model, images, [0, 1])
    expected = method.attribute(zoo.model(net.inner, chunk=16), images, [0, 1])
    assert_close(found.values, expected.values, 1e-5)
    assert found.passes == expected.passes
    assert chunk_size(model, images, "gradient") == 2
    net.seen.clear()
    method.attribute(model, images, [0, 1])
    assert max(net.seen) <= 3


def test_a_row_that_does_not_fit_is_an_error_with_a_remedy():
    model = zoo.model(Crowded(0, torch.OutOfMemoryError("tried to allocate 3 GiB\nmore")), chunk=None)
    with pytest.raises(ModelError, match=r"one forward pass of \[3, .* tried to allocate 3 GiB; use a smaller image"):
        raw_outputs(model, zoo.images(1))


def test_other_failures_pass_through():
    with pytest.raises(RuntimeError, match="shapes"):
        raw_outputs(zoo.model(Crowded(0, RuntimeError("shapes do not fit"))), zoo.images(2))


def test_memory_that_is_free_is_known_and_limits_are_checked():
    assert free_memory(torch.device("cpu")) > 2**24
    with pytest.raises(TensorError, match="at least 1 byte"):
        zoo.model(zoo.residual(), memory=0)
