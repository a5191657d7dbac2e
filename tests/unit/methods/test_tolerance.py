"""Accuracy on request: images leave the stream when their own map is accurate enough."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from heatproof.methods import ExpectedGradients, IntegratedGradients, Method, SmoothGrad, SmoothTaylor
from heatproof.numerics.quadrature import GaussLegendre
from heatproof.passes.path import PIECES, SCOUTS, _first
from heatproof.passes.rounds import Rounds
from heatproof.perturb.fills import Reference, Zero
from heatproof.perturb.noises import Gaussian
from tests.support import zoo
from tests.support.close import assert_close

PAIRS = Gaussian(sigma=0.4, relative_to="absolute", antithetic=True)
SAMPLED = {
    "smooth_taylor": lambda cap, tolerance: SmoothTaylor(noise=PAIRS, samples=cap, tolerance=tolerance),
    "smooth_grad": lambda cap, tolerance: SmoothGrad(noise=Gaussian(sigma=0.4), samples=cap, tolerance=tolerance),
    "expected_gradients": lambda cap, tolerance: ExpectedGradients(baselines=cap, strata=1, tolerance=tolerance),
}
every = pytest.mark.parametrize("make", SAMPLED.values(), ids=SAMPLED.keys())


class Steepening(nn.Module):
    """f(x) = x·w + s² Σ sin(9 x), s the first value: the gradient is constant where s = 0, and rough where it is large."""

    def forward(self, x: Tensor) -> Tensor:
        rest = x.flatten(1)[:, 1:]
        return (rest * torch.linspace(1, 2, rest.shape[1]) + x.flatten(1)[:, :1].square() * (9 * rest).sin()).sum(1, keepdim=True)


def smooth_and_rough() -> Tensor:
    images = zoo.images(2) * 0.1
    images[:, 0, 0, 0] = torch.tensor([0.0, 2.0])
    return images


@every
def test_an_accuracy_is_met_with_no_more_draws_than_it_takes(make: Callable[[int, float | None], Method]) -> None:
    model, images = zoo.model(zoo.smooth_conv(), chunk=32), zoo.images(4)
    loose, tight = (make(3000, tolerance).attribute(model, images, 0) for tolerance in (0.4, 0.1))
    for found, tolerance in ((loose, 0.4), (tight, 0.1)):
        assert (found.error <= tolerance).all()
        assert found.notes == ("",) * 4
    assert (loose.probes < tight.probes).all()
    assert (tight.probes < 3000).all()


@every
def test_the_map_is_that_of_as_many_samples_as_were_used(make: Callable[[int, float | None], Method]) -> None:
    model, images = zoo.model(zoo.smooth_conv(), chunk=32), zoo.images(3)
    found = make(400, 0.25).attribute(model, images, 0)
    for row, used in enumerate(found.probes.tolist()):
        exact = make(used, None).attribute(model, images[row : row + 1], 0)
        assert_close(found.values[row], exact.values[0], 1e-5)
        assert_close(found.claim[row], exact.claim[0], 1e-3)


def near_zero() -> Reference:
    images = zoo.images(6, seed=4) * 0.01
    images[:, 0, 0, 0] = 0
    return Reference(images=images)


@pytest.mark.parametrize(
    "method",
    [
        SmoothGrad(noise=PAIRS, samples=200, tolerance=0.2),
        ExpectedGradients(baseline=near_zero(), baselines=200, strata=1, tolerance=0.2),
    ],
    ids=lambda method: method.name,
)
def test_an_easy_image_takes_fewer_rows_than_a_hard_one(method: Method) -> None:
    model = zoo.model(zoo.Counting(Steepening()))
    images = smooth_and_rough()
    easy, hard = (method.attribute(model, image[None], 0) for image in images)
    assert easy.passes.backward < hard.passes.backward
    assert model.module.backward_rows == easy.passes.backward + hard.passes.backward
    together = method.attribute(model, images, 0)
    assert together.probes.tolist() == [easy.passes.backward, hard.passes.backward]


@every
def test_an_image_that_reaches_the_cap_says_so(make: Callable[[int, float | None], Method]) -> None:
    found = make(10, 0.001).attribute(zoo.model(zoo.smooth_conv()), zoo.images(2), 0)
    assert found.probes.tolist() == [10, 10]
    for note, error in zip(found.notes, found.error.tolist(), strict=True):
        assert note == f"stopped at the cap of 10 samples with relative error {error:.2g}, asked 0.001"


def test_rounds_end_at_whole_groups_and_at_the_cap() -> None:
    pairs = Rounds(30, PAIRS.group, tolerance=0.1)
    assert [stretch.stop for stretch in pairs.stretches()] == [16, 24, 30]
    assert [k for stretch in pairs.stretches() for k in stretch] == list(range(30))
    assert [stretch.stop for stretch in Rounds(5, lambda k: k, tolerance=0.1).stretches()] == [5]
    assert list(Rounds(30, PAIRS.group).stretches()) == [range(30)]


def test_the_error_asked_for_is_about_the_error_there_is() -> None:
    """Stopping at the first look that is low enough favours low estimates: the true error may exceed the tolerance, but little."""
    model, image, tolerance = zoo.model(zoo.smooth_conv(), chunk=64), zoo.images(1), 0.3
    truth = SmoothGrad(noise=PAIRS, samples=4000).attribute(model, image, 0, seed=1000).values
    found = [SmoothGrad(noise=PAIRS, samples=400, tolerance=tolerance).attribute(model, image, 0, seed=s) for s in range(40)]
    errors = torch.stack([(f.values - truth).norm() / truth.norm() for f in found])
    assert errors.square().mean().sqrt().item() < 1.15 * tolerance


def test_a_path_is_refined_until_its_sum_is_what_it_should_be() -> None:
    model, images = zoo.model(zoo.Counting(zoo.residual()), chunk=32), zoo.images(6)
    found = path(0.01).attribute(model, images, 0)
    assert (found.error <= 0.01001).all()
    assert found.notes == ("",) * 6
    assert found.passes.backward == found.probes.sum() == model.module.backward_rows
    exact = IntegratedGradients(quadrature=GaussLegendre(steps=400), baseline=Zero()).attribute(
        zoo.model(zoo.residual()), images, 0
    )
    assert_close(found.values, exact.values, 0.1)


def path(tolerance: float, steps: int = 500) -> IntegratedGradients:
    return IntegratedGradients(quadrature=GaussLegendre(steps=steps), baseline=Zero(), tolerance=tolerance)


def test_a_straight_path_takes_one_round_and_a_rough_one_more() -> None:
    model, images = zoo.model(Steepening()), smooth_and_rough() * 20
    easy, hard = path(0.01).attribute(model, images, 0).probes.tolist()
    assert easy == PIECES < hard


def test_a_path_that_needs_more_nodes_than_it_may_take_says_so() -> None:
    found = path(1e-6, steps=20).attribute(zoo.model(Steepening()), smooth_and_rough()[1:] * 20, 0)
    assert found.notes[0].startswith(f"stopped after {found.probes.item()} of at most 20 nodes with relative gap ")
    assert found.passes.backward <= 20


@pytest.mark.parametrize("most", [1, 3, 4, 7, 12, 50])
def test_the_first_pieces_cover_the_path_and_know_their_ends(most: int) -> None:
    f = [(j / SCOUTS) ** 3 for j in range(SCOUTS + 1)]
    pieces = _first(2, f, most)
    assert len(pieces) == min(most, PIECES)
    assert [p.left for p in pieces] == [0.0, *(p.right for p in pieces[:-1])]
    assert pieces[-1].right == 1
    assert [(p.left**3, p.right**3) for p in pieces] == [(p.f_left, p.f_right) for p in pieces]
