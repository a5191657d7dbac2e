"""The top-k attack against its slow twin."""

import torch
from torch import nn

from heatproof.attacks import TopK
from heatproof.perturb.changes import ChangeContext
from tests.references.attacks import top_k_attack
from tests.support import zoo
from tests.support.close import assert_close, assert_different


def network(activation: nn.Module) -> nn.Module:
    layers = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), activation, nn.Conv2d(6, 6, 3, stride=2), activation, nn.Flatten(), nn.Linear(54, 4)
    )
    return zoo.filled(layers, seed=31).double()


def test_top_k_is_algorithm_1() -> None:
    bent, smooth = network(nn.ReLU()), network(nn.Softplus(beta=4.0))
    model, images, target = zoo.model(bent, dtype=torch.float64), zoo.images(3, dtype=torch.float64), torch.tensor([0, 1, 2])
    attack = TopK(share=0.1, steps=12, rate=0.2, beta=4.0)
    (found,) = attack(ChangeContext(images, model.bounds, target, model, lambda x: x, seed=0), [0.05])
    bounds = (model.bounds.lower.double(), model.bounds.upper.double())
    for i, image in enumerate(images):
        expected = top_k_attack(
            lambda x: bent(x[None])[0], lambda x: smooth(x[None])[0], image, int(target[i]), bounds, 0.05, 0.1, 12, 0.2
        )
        assert_close(found[i], expected, 1e-12)
    assert_different(found, images)
