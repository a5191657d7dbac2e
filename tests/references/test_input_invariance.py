"""Input invariance, against a second network whose first layer is a matrix."""

import pytest
import torch
from torch import Tensor, nn

from heatproof.edits.shift import shifted
from heatproof.methods import InputXGradient, IntegratedGradients, Lrp
from heatproof.metrics import InputInvariance
from heatproof.metrics.explain import bound
from heatproof.numerics.quadrature import Midpoint
from heatproof.perturb.fills import Black, Zero
from heatproof.relevance.composites import LrpZ
from tests.references import input_invariance as slow
from tests.references.twin import twin_of
from tests.support import zoo
from tests.support.close import assert_close

TARGET = 1
FIRST = nn.Conv2d(3, 6, 3, padding=1, stride=2)
REST = nn.Sequential(nn.ReLU(), nn.Conv2d(6, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(24, 4))
NETWORK = zoo.filled(nn.Sequential(FIRST, *REST), seed=31, scale=2).double().eval()
MODEL, IMAGES = zoo.model(NETWORK, dtype=torch.float64), zoo.images(3, dtype=torch.float64)


def first(x: Tensor) -> Tensor:
    return FIRST(x[None])[0]


def rest(y: Tensor) -> Tensor:
    return REST(y[None])[0, TARGET]


@twin_of("input_invariance")
@pytest.mark.parametrize("size", [-1.0, 0.4])
@pytest.mark.parametrize("kind", ["product", "from zero", "from black"])
def test_the_second_network_is_the_first_one_with_another_bias(kind: str, size: float) -> None:
    lower, upper = (limit[0].expand(3, 8, 8) for limit in MODEL.bounds.like(IMAGES))
    m = size * (upper - lower)
    method = {
        "product": InputXGradient(),
        "from zero": IntegratedGradients(baseline=Zero(), quadrature=Midpoint(steps=4)),
        "from black": IntegratedGradients(baseline=Black(), quadrature=Midpoint(steps=4)),
    }[kind]

    def explained(f: object, x: Tensor, black: Tensor) -> Tensor:
        if kind == "product":
            return slow.input_x_gradient(f, x)
        return slow.integrated_gradients(f, x, black if kind == "from black" else torch.zeros_like(x), 4)

    found = InputInvariance(size=size).score(MODEL, IMAGES, TARGET, bound(method, MODEL))
    second = slow.second_network(first, rest, m)
    for row, x in enumerate(IMAGES):
        a, b = explained(lambda x: rest(first(x)), x, lower), explained(second, x + m, lower + m)
        rho, distance = slow.likeness_and_distance(a, b)
        assert found.values[row].item() == pytest.approx(rho, abs=1e-6)
        assert found.components["distance"][row].item() == pytest.approx(distance, rel=1e-9, abs=1e-11)


def test_lrp_z_of_the_second_network_takes_the_correction_for_a_bias() -> None:
    """R_in = x Wᵀ (R / (W x + b)) all the way down is input × gradient, the bias of the first layer included."""
    m = zoo.normal(3, 8, 8, dtype=torch.float64)
    other, at = shifted(MODEL, m), IMAGES + m
    relevance = Lrp(composite=LrpZ()).attribute(other, at, TARGET).values
    assert_close(relevance, InputXGradient().attribute(other, at, TARGET).values, 1e-9)
