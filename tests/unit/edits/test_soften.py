"""The softened network is another network with the same weights, and tends to the original as β grows."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from heatproof.core.errors import ModelError
from heatproof.edits.soften import Softened
from tests.support import zoo
from tests.support.close import assert_close
from tests.support.state import state_of, state_of_tensor

BETA = 3.0


def softplus(x: Tensor) -> Tensor:
    return (1 + (BETA * x).exp()).log() / BETA


def relu6(x: Tensor) -> Tensor:
    return softplus(x) - softplus(x - 6)


def relu_in_place(x: Tensor) -> Tensor:
    y = x * 1
    y.relu_()
    return y


def clamped_in_place(x: Tensor) -> Tensor:
    y = x * 1
    torch.clamp_min_(y, 0)
    return y


@pytest.mark.parametrize(
    ("bent", "round_"),
    [
        (F.relu, softplus),
        (nn.ReLU(), softplus),
        (lambda x: nn.ReLU(inplace=True)(x * 1), softplus),
        (lambda x: F.relu(x * 1, inplace=True), softplus),
        (torch.relu, softplus),
        (Tensor.relu, softplus),
        (lambda x: torch.relu_(x * 1), softplus),
        (relu_in_place, softplus),
        (lambda x: x.clamp(min=0), softplus),
        (lambda x: x.clamp(0), softplus),
        (lambda x: torch.clamp(x, 0, 6), relu6),
        (clamped_in_place, softplus),
        (F.relu6, relu6),
        (nn.ReLU6(), relu6),
        (lambda x: nn.ReLU6(inplace=True)(x * 1), relu6),
        (nn.Hardtanh(), lambda x: softplus(x + 1) - softplus(x - 1) - 1),
        (nn.LeakyReLU(0.2), lambda x: 0.2 * x + 0.8 * softplus(x)),
        (lambda x: x.clamp(min=1e-12), lambda x: x.clamp(min=1e-12)),
        (torch.tanh, torch.tanh),
    ],
)
def test_a_bend_is_round_in_every_form(bent: Callable[[Tensor], Tensor], round_: Callable[[Tensor], Tensor]) -> None:
    x = zoo.normal(50, seed=3, dtype=torch.float64).mul(4).requires_grad_()
    before = bent(x.detach())
    with Softened(nn.Identity(), BETA):
        found = bent(x)
    assert_close(found, round_(x), 1e-9)
    (slope,) = torch.autograd.grad(found.sum(), x)
    (expected,) = torch.autograd.grad(round_(x).sum(), x)
    assert_close(slope, expected, 1e-8)
    assert_close(bent(x.detach()), before, 0)


def network(activation: Callable[[], nn.Module]) -> nn.Module:
    layers = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), activation(), nn.Conv2d(6, 6, 3, stride=2), activation(), nn.Flatten(), nn.Linear(54, 4)
    )
    return zoo.filled(layers, seed=21).double()


@pytest.mark.parametrize("inplace", [False, True])
def test_the_softened_network_is_the_softplus_network_with_the_same_weights(inplace: bool) -> None:
    bent, twin = network(lambda: nn.ReLU(inplace=inplace)), network(lambda: nn.Softplus(beta=BETA))
    images = zoo.images(4, dtype=torch.float64)
    before = state_of(bent), state_of_tensor(images)
    with Softened(bent, BETA):
        found = bent(images)
    assert_close(found, twin(images), 1e-9)
    assert (state_of(bent), state_of_tensor(images)) == before


def test_the_softened_network_tends_to_the_original() -> None:
    bent, images = network(nn.ReLU), zoo.images(4, dtype=torch.float64)
    gaps = []
    for beta in (1.0, 10.0, 100.0, 1e6):
        with Softened(bent, beta):
            gaps.append((bent(images) - network(nn.ReLU)(images)).abs().max().item())
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] < 1e-5


def test_only_the_softened_network_has_a_second_derivative() -> None:
    """A network of ReLUs is linear in pieces, so that its Hessian is zero almost everywhere."""
    bent, images = network(nn.ReLU), zoo.images(2, dtype=torch.float64)

    def second(run: Callable[[Tensor], Tensor]) -> Tensor:
        x = images.clone().requires_grad_()
        (slope,) = torch.autograd.grad(run(x)[:, 1].sum(), x, create_graph=True)
        (found,) = torch.autograd.grad(slope.square().sum(), x, allow_unused=True, materialize_grads=True)
        return found

    def softened(x: Tensor) -> Tensor:
        with Softened(bent, BETA):
            return bent(x)

    assert not second(bent).any()
    assert second(softened).abs().min() > 0


def test_a_relu_that_cannot_be_seen_is_refused() -> None:
    network = nn.RNN(3, 4, nonlinearity="relu")
    with Softened(network, BETA), pytest.raises(ModelError, match=r"whose ReLU can be replaced, got .*rnn_relu"):
        network(torch.zeros(2, 1, 3))
    with pytest.raises(ModelError, match="operations can be seen"):
        Softened(nn.DataParallel(nn.ReLU()), BETA)
