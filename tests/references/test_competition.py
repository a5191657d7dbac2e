"""Competition of classes against brute force, and its null rate."""

import pytest
import torch
from torch import nn

from heatproof.methods import Competition, GradCam, GuidedBackprop, Product
from tests.references.twin import twin_of
from tests.support import zoo
from tests.support.close import assert_close


@twin_of("competition")
@pytest.mark.parametrize("target", [0, 2])
def test_on_a_linear_network_it_is_brute_force(target: int) -> None:
    net = zoo.filled(nn.Linear(40, 5, bias=False).double(), seed=1)
    x = zoo.normal(3, 40, seed=2).double()
    found = Competition().attribute(zoo.model(net, channels=40, dtype=torch.float64), x, target).values
    for image, row in zip(x, found, strict=True):
        maps = (net.weight.detach() * image).tolist()
        for i, value in enumerate(row.tolist()):
            own, others = maps[target][i], [maps[c][i] for c in range(5) if c != target]
            wins = (own > 0 and own > max(others)) or (own < 0 and own < min(others))
            assert value == pytest.approx(own if wins else 0.0, abs=1e-12)


@pytest.mark.parametrize("classes", [2, 10])
def test_classes_that_are_alike_win_as_often_as_chance_says(classes: int) -> None:
    net = nn.Linear(20_000, classes, bias=False)
    with torch.no_grad():
        net.weight.copy_(zoo.normal(classes, 20_000, seed=3))
    found = Competition().attribute(zoo.model(net, channels=20_000), torch.ones(1, 20_000), 0).values
    expected = 2 / classes * (1 - 2**-classes)
    assert (found != 0).float().mean().item() == pytest.approx(expected, abs=0.015)


def test_a_class_that_stands_twice_wins_nothing() -> None:
    net = nn.Linear(6, 3, bias=False)
    with torch.no_grad():
        net.weight[2] = net.weight[1]
    assert not Competition().attribute(zoo.model(net, channels=6), zoo.normal(2, 6), 1).values.any()


@twin_of("product")
def test_guided_grad_cam_is_the_product() -> None:
    model, images = zoo.model(zoo.residual()), zoo.images(3)
    parts = [method.attribute(model, images, 1).values for method in (GuidedBackprop(), GradCam())]
    assert_close(Product().attribute(model, images, 1).values, parts[0] * parts[1], 1e-6)
