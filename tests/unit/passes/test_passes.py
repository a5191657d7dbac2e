"""Counting, chunks, and the engine's own arithmetic."""

from contextlib import suppress

import pytest
import torch

from heatproof.models.outputs import Probability
from heatproof.passes.adaptive_sampling import scatter_error
from heatproof.passes.counting import PassCount, count_passes, record_rows
from heatproof.passes.forward import known_outputs, raw_outputs, scores
from heatproof.passes.gradient import gradient
from tests.support import zoo
from tests.support.close import assert_close


def test_counters_nest_and_close_after_an_error() -> None:
    with count_passes() as outer:
        record_rows(forward=2)
        with suppress(RuntimeError), count_passes() as inner:
            record_rows(forward=3, backward=1)
            raise RuntimeError
        record_rows(backward=5)
    record_rows(forward=100)
    assert (outer, inner) == (PassCount(5, 6), PassCount(3, 1))


def test_scores_are_the_networks() -> None:
    module, images, target = zoo.residual(), zoo.images(5), torch.tensor([0, 1, 2, 3, 0])
    model = zoo.model(module, chunk=2)
    expected = zoo.residual().eval()(images)
    assert_close(raw_outputs(model, images), expected, 1e-5)
    assert_close(scores(model, images, target), expected[torch.arange(5), target], 1e-5)


def test_the_gradient_of_a_row_is_autograds() -> None:
    model, images = zoo.model(zoo.smooth_conv(), dtype=torch.float64), zoo.images(3, dtype=torch.float64).requires_grad_()
    grad, explained = gradient(model, images, torch.tensor([2, 0, 1]))
    for row, target in enumerate([2, 0, 1]):
        (expected,) = torch.autograd.grad(model.module(images[row : row + 1])[0, target], images)
        assert_close(grad[row], expected[row], 1e-12)
        assert explained[row].item() == pytest.approx(model.module(images[row : row + 1])[0, target].item())


def test_split_half_error_of_known_halves() -> None:
    """Four groups with means 3 and 1 over two each: A = (3 + 1)/2 = 2, SE = |3 − 1| √(2·2) / 4 = 1, so 1/2."""
    halves = torch.tensor([3.0, 1.0]).view(2, 1, 1, 1) / 2
    assert scatter_error(halves, {0, 1, 2, 3}).item() == pytest.approx(0.5)


def test_split_half_error_of_unequal_halves() -> None:
    """Three groups, two with mean 3 and one with mean 0: A = 2, SE = |3 − 0| √(2·1) / 3 = √2, so 1/√2."""
    halves = torch.tensor([3.0 * 2 / 3, 0.0]).view(2, 1, 1, 1)
    assert scatter_error(halves, {0, 1, 2}).item() == pytest.approx(0.5**0.5)


@pytest.mark.parametrize("groups", [{0}, {0, 2, 4}, {1}], ids=["one", "all even", "one odd"])
def test_the_error_is_unknown_where_there_are_no_two_halves(groups: set[int]) -> None:
    assert scatter_error(torch.ones(2, 1, 1, 1), groups).isnan().all()


def counted(model, images) -> int:
    with count_passes() as passes:
        raw_outputs(model, images)
    return passes.forward


def test_known_outputs_cost_no_rows_and_are_those_of_the_network() -> None:
    model, images = zoo.model(zoo.residual()), zoo.images(3)
    outputs = raw_outputs(model, images)
    with known_outputs(model, images, outputs), count_passes() as passes:
        raw_outputs(model, images).zero_()
        found = raw_outputs(model.with_(output=Probability(), chunk=1), images.detach())
        explained = scores(model, images, torch.tensor([1, 0, 2]))
    assert passes.forward == 0
    assert found.equal(outputs)
    assert explained.equal(outputs[torch.arange(3), torch.tensor([1, 0, 2])])
    assert counted(model, images) == 3


def test_outputs_of_another_batch_or_network_are_not_known() -> None:
    model, images = zoo.model(zoo.residual()), zoo.images(3)
    outputs = raw_outputs(model, images)
    with known_outputs(model, images, outputs):
        assert counted(model, images.clone()) == 3
        assert counted(model, images[:2]) == 2
        assert counted(model, images.flip(0)) == 3
        assert counted(zoo.model(zoo.residual()), images) == 3
        assert counted(model.with_(engine=zoo.residual().eval()), images) == 3
        assert counted(model, images) == 0


def test_outputs_are_forgotten_when_the_images_or_the_parameters_change() -> None:
    model, images = zoo.model(zoo.residual()), zoo.images(3)
    outputs = raw_outputs(model, images)
    with known_outputs(model, images, outputs):
        with torch.no_grad():
            next(model.module.parameters()).mul_(2)
        assert counted(model, images) == 3
    with known_outputs(model, images, outputs):
        images.add_(1)
        assert counted(model, images) == 3


def test_images_that_do_not_say_whether_they_changed_are_never_known() -> None:
    model = zoo.model(zoo.residual())
    with torch.inference_mode():
        images = zoo.images(3).clone()
    with known_outputs(model, images, torch.zeros(3, 4)):
        assert counted(model, images) == 3
