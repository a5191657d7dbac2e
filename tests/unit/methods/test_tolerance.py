"""Accuracy on request: images leave the stream when their own map is accurate enough."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from heatproof.core.errors import SettingsError
from heatproof.methods import ExpectedGradients, IntegratedGradients, Method, SmoothGrad, SmoothTaylor
from heatproof.models import Regression
from heatproof.numerics.quadrature import GaussLegendre
from heatproof.passes import path_gradients as path_module
from heatproof.passes.adaptive_sampling import AdaptiveSampling
from heatproof.passes.path_gradients import PIECES
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
        assert_close(found.expected_sum[row], exact.expected_sum[0], 1e-3)


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
    images = smooth_and_rough()
    model = zoo.checked(zoo.model(zoo.Counting(Steepening()), output=Regression()), images)
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
    pairs = AdaptiveSampling(30, PAIRS.group, tolerance=0.1)
    assert [draws.stop for draws in pairs.rounds()] == [16, 24, 30]
    assert [k for draws in pairs.rounds() for k in draws] == list(range(30))
    assert [draws.stop for draws in AdaptiveSampling(5, lambda k: k, tolerance=0.1).rounds()] == [5]
    assert list(AdaptiveSampling(30, PAIRS.group).rounds()) == [range(30)]


def test_the_error_asked_for_is_about_the_error_there_is() -> None:
    """Stopping at the first look that is low enough favours low estimates: the true error may exceed the tolerance, but little."""
    model, image, tolerance = zoo.model(zoo.smooth_conv(), chunk=64), zoo.images(1), 0.3
    truth = SmoothGrad(noise=PAIRS, samples=4000).attribute(model, image, 0, seed=1000).values
    found = [SmoothGrad(noise=PAIRS, samples=400, tolerance=tolerance).attribute(model, image, 0, seed=s) for s in range(40)]
    errors = torch.stack([(f.values - truth).norm() / truth.norm() for f in found])
    assert errors.square().mean().sqrt().item() < 1.15 * tolerance


def test_a_path_is_refined_until_its_sum_is_what_it_should_be() -> None:
    images = zoo.images(6)
    model = zoo.checked(zoo.model(zoo.Counting(zoo.residual()), chunk=32), images)
    found = path(0.01).attribute(model, images, 0)
    assert (found.gap <= 0.01001).all()
    assert found.notes == ("",) * 6
    assert found.passes.backward == found.probes.sum() == model.module.backward_rows
    exact = IntegratedGradients(quadrature=GaussLegendre(steps=400), baseline=Zero()).attribute(
        zoo.model(zoo.residual()), images, 0
    )
    assert_close(found.values, exact.values, 0.1)


def path(tolerance: float | None, steps: int = 500, map_tolerance: float | None = None) -> IntegratedGradients:
    return IntegratedGradients(
        quadrature=GaussLegendre(steps=steps), baseline=Zero(), tolerance=tolerance, map_tolerance=map_tolerance
    )


def test_a_straight_path_takes_one_round_and_a_rough_one_more() -> None:
    model, images = zoo.model(Steepening(), output=Regression()), smooth_and_rough() * 20
    easy, hard = path(0.01).attribute(model, images, 0).probes.tolist()
    assert easy == PIECES + 1 < hard


def test_a_path_that_needs_more_nodes_than_it_may_take_says_so() -> None:
    model = zoo.model(Steepening(), output=Regression())
    found = path(1e-9, steps=20, map_tolerance=1e-9).attribute(model, smooth_and_rough()[1:] * 20, 0)
    gap, error = found.gap.item(), found.error.item()
    assert found.notes[0].startswith(
        "stopped at 20 nodes, the most for 20 passes, "
        f"with relative gap {gap:.2g}, asked 1e-09 and map error {error:.2g}, asked 1e-09; values of the image"
    )
    assert found.passes.backward == 20


def test_a_path_with_both_tolerances_keeps_both() -> None:
    model, images = zoo.model(zoo.residual()), zoo.images(6)
    one, other = (method.attribute(model, images, 0) for method in (path(0.005), path(None, map_tolerance=0.01)))
    assert (one.error > 0.01).any()
    assert (other.gap > 0.005).any()
    both = path(0.005, map_tolerance=0.01).attribute(model, images, 0)
    assert (both.gap <= 0.005005).all()
    assert (both.error <= 0.01001).all()


def test_the_error_of_a_map_is_about_what_is_stated() -> None:
    """Of piecewise linear networks, whose gradient jumps along the path: root mean square over images, stated over true."""
    model, images = zoo.model(zoo.Counting(zoo.residual()), dtype=torch.float64, chunk=64), zoo.images(40, dtype=torch.float64)
    truth = IntegratedGradients(quadrature=GaussLegendre(steps=2000), baseline=Zero()).attribute(model, images, 0).values
    found = path(None, map_tolerance=0.03).attribute(model, images, 0)
    true = (found.values - truth).flatten(1).norm(dim=1) / truth.flatten(1).norm(dim=1)
    ratio = (found.error.square().mean() / true.square().mean()).sqrt().item()
    assert 0.8 < ratio < 1.5


def test_gradients_beyond_those_kept_are_taken_again_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    model, images = zoo.model(zoo.Counting(zoo.residual())), zoo.images(2)
    all_kept = path(None, map_tolerance=0.02).attribute(model, images, 0)
    monkeypatch.setattr(path_module, "CACHED_GRADIENTS", 5)
    few_kept = path(None, map_tolerance=0.02).attribute(model, images, 0)
    assert_close(few_kept.values, all_kept.values, 1e-5)
    assert few_kept.probes.tolist() == all_kept.probes.tolist()
    assert few_kept.passes.backward == sum(2 * n - 5 for n in few_kept.probes.tolist())


def test_images_that_do_not_fit_together_are_refined_one_after_another() -> None:
    model, images = zoo.model(zoo.Counting(zoo.residual()), chunk=4), zoo.images(3)
    together = path(0.001).attribute(model, images, 0)
    apart = path(0.001).attribute(model.with_(memory=70 * images[:1].nbytes), images, 0)
    assert_close(apart.values, together.values, 1e-6)
    assert apart.passes == together.passes


def test_a_path_needs_both_its_ends() -> None:
    with pytest.raises(SettingsError, match="expected at least 2 steps with a tolerance"):
        path(0.1, steps=1)
