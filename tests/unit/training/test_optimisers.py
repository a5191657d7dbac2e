"""The optimisers of the training loop against those of torch, bit by bit."""

import pytest
import torch
from torch import nn

from heatproof.training import TrainingConfig, fit
from heatproof.training.optimisers import Adam, Momentum

PAIRS = {
    "adam": (Adam, lambda parameters, decay: torch.optim.Adam(parameters, weight_decay=decay)),
    "momentum": (Momentum, lambda parameters, decay: torch.optim.SGD(parameters, momentum=0.9, weight_decay=decay)),
}


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("name", PAIRS)
def test_weights_are_those_of_torch_bit_by_bit_also_where_a_parameter_is_not_used(name, decay):
    ours, theirs = PAIRS[name]
    networks = [network() for _ in range(2)]
    parameters = [[*each.parameters(), nn.Parameter(torch.ones(2))] for each in networks]
    steps = ours(parameters[0], decay), theirs(parameters[1], decay)
    inputs = torch.randn(8, 4, 3, generator=torch.Generator().manual_seed(1))
    for number, batch in enumerate(inputs):
        rate = 0.01 * (8 - number)
        for each in networks:
            each.zero_grad()
            each(batch).square().sum().backward()
        steps[0].step(rate)
        steps[1].param_groups[0]["lr"] = rate
        steps[1].step()
        assert all(torch.equal(one, other) for one, other in zip(*parameters, strict=True))
    assert not torch.equal(parameters[0][0], network()[0].weight), "nothing was trained"


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))


def test_no_training_constructs_an_optimiser_of_torch_which_imports_its_compiler(monkeypatch):
    monkeypatch.setattr(torch.optim.Optimizer, "__init__", None)
    fit(nn.Linear(3, 2), torch.ones(4, 3), torch.tensor([0, 1, 0, 1]), TrainingConfig(epochs=1), seed=0)
