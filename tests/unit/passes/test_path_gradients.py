"""The error that a path states bounds the error that it has."""

import pytest
import torch
from torch import Tensor, nn

from heatproof.methods import Attribution, InputXGradient, IntegratedGradients
from heatproof.models import Model
from heatproof.numerics.quadrature import GaussLegendre, Midpoint
from heatproof.perturb.fills import Black, Fill, White, Zero
from tests.support import zoo

TOLERANCES = (0.1, 0.03)
FINE, IMAGES = 500, 8
NETWORKS = {
    "bias-free relu": zoo.bias_free_conv,
    "residual": zoo.residual,
    "smooth": zoo.smooth_conv,
    "two layers": lambda: zoo.filled(
        nn.Sequential(nn.Flatten(), nn.Linear(192, 30), nn.ReLU(), nn.Linear(30, 30), nn.ReLU(), nn.Linear(30, 3)), 21, scale=2
    ),
}
STARTS: dict[str, Fill] = {"zero": Zero(), "black": Black(), "white": White()}
"""Not random ones, whose error is that over the paths as well."""


def double(network: nn.Module) -> tuple[Model, Tensor]:
    return zoo.model(network, dtype=torch.float64, chunk=200), zoo.images(IMAGES, dtype=torch.float64)


def asked(start: Fill, tolerance: float) -> IntegratedGradients:
    steps = GaussLegendre(steps=500)
    return IntegratedGradients(baseline=start, map_tolerance=tolerance, quadrature=steps)


def true_error(found: Attribution, truth: Tensor) -> Tensor:
    return (found.values - truth).flatten(1).norm(dim=1) / truth.flatten(1).norm(dim=1)


def test_the_stated_error_bounds_the_true_one_on_95_percent_of_images() -> None:
    """The truth is a midpoint rule of many nodes in float64."""
    covered: dict[tuple[str, str], list[bool]] = {}
    for name, build in NETWORKS.items():
        model, images = double(build())
        for at, start in STARTS.items():
            fine = IntegratedGradients(baseline=start, quadrature=Midpoint(steps=FINE))
            truth = fine.attribute(model, images, 1).values
            for tolerance in TOLERANCES:
                found = asked(start, tolerance).attribute(model, images, 1)
                assert (found.error <= tolerance).all()
                covered.setdefault((name, at), []).extend((true_error(found, truth) <= found.error).tolist())
    shares = {case: sum(each) / len(each) for case, each in covered.items()}
    assert sum(shares.values()) / len(shares) >= 0.95, shares
    assert min(shares.values()) >= 0.85, shares


@pytest.mark.parametrize("tolerance", [0.2, 0.05, 0.01, 0.001])
def test_a_jump_at_the_very_start_of_a_path_is_covered_on_every_image(tolerance: float) -> None:
    """A ReLU network without biases: from zero, the gradient is zero at the start and constant everywhere else."""
    model, images = double(zoo.bias_free_conv())
    truth = InputXGradient().attribute(model, images, 1).values
    found = asked(Zero(), tolerance).attribute(model, images, 1)
    assert (true_error(found, truth) <= found.error).all()
    assert (found.error <= tolerance).all()
    assert (found.error <= 1.2 * true_error(found, truth)).all()


def test_the_estimate_is_close_to_the_error_where_many_jumps_add_up() -> None:
    model, images = double(zoo.residual())
    truth = IntegratedGradients(quadrature=Midpoint(steps=FINE)).attribute(model, images, 1).values
    found = asked(Black(), 0.03).attribute(model, images, 1)
    assert 1 < (found.error / true_error(found, truth)).median() < 1.5
