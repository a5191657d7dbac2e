"""The network that the tests of this folder share, and the checks that every adapted method passes."""

import json

import torch
from torch import Tensor, nn

from heatproof.methods import Method
from heatproof.models import Bounds, Model
from tests.support.state import state_of


class Small(nn.Module):
    """Two convolutions and a head, without a module that a peer has no rule for."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.act = nn.Conv2d(2, 4, 3, padding=1), nn.ReLU()
        self.second, self.act2 = nn.Conv2d(4, 4, 3, padding=1), nn.ReLU()
        self.pool, self.head = nn.AdaptiveAvgPool2d(1), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.pool(self.act2(self.second(self.act(self.first(x))))).flatten(1))


def model() -> Model:
    return Model(Small(), Bounds.of(-1, 1, channels=2))


def images(n: int = 2) -> Tensor:
    return torch.rand(n, 2, 6, 6, generator=torch.Generator().manual_seed(3)) * 2 - 1


def obeys_the_laws(method: Method) -> None:
    """Shape; the caller's network and random state as before; an image alone as in a batch; the same seed, the same map."""
    explained, rows = model(), images()
    explained.module.train()
    before, chance = state_of(explained.module), torch.random.get_rng_state()
    together = method.attribute(explained, rows, target=[1, 2], seed=5)
    assert state_of(explained.module) == before
    assert torch.equal(torch.random.get_rng_state(), chance)
    assert together.values.shape == rows.shape
    assert together.values.dtype == rows.dtype
    assert not together.values.requires_grad
    assert torch.equal(method.attribute(explained, rows[1:], target=2, seed=5).values, together.values[1:])
    other = method.attribute(explained, rows, target=[1, 2], seed=6).values
    assert torch.equal(other, together.values) != method.stochastic
    assert together.passes.forward > 0


def survives_json(method: Method) -> None:
    """A worker process builds the method from its settings, and gets the same maps."""
    again = Method.from_dict(json.loads(json.dumps(method.to_dict())))
    assert again == method
    assert torch.equal(again.attribute(model(), images(), 1).values, method.attribute(model(), images(), 1).values)
