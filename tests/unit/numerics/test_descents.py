"""Adam and momentum against the optimisers of torch, bit by bit."""

import pytest
import torch
from torch import nn

from heatproof.numerics.adam import Adam
from heatproof.numerics.momentum import Momentum

PAIRS = {
    "adam": (Adam, torch.optim.Adam),
    "momentum": (Momentum, lambda values, rate: torch.optim.SGD(values, rate, momentum=0.9)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_values_are_those_of_torch_bit_by_bit_while_the_rate_falls(name):
    ours, theirs = PAIRS[name]
    slopes = torch.randn(8, 5, 7, generator=torch.Generator().manual_seed(0))
    values, other = torch.ones(5, 7), nn.Parameter(torch.ones(5, 7))
    descent, optimiser = ours(0.01), theirs([other], 0.01)
    for number, slope in enumerate(slopes):
        descent.rate = optimiser.param_groups[0]["lr"] = 0.01 * (8 - number)
        values, other.grad = descent.step(values, slope), slope
        optimiser.step()
        assert torch.equal(values, other)
    assert not torch.equal(values, torch.ones(5, 7))
