"""Random numbers at their extremes."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from heatproof.passes.extreme_draws import EXTREMES

DRAWS: dict[str, Callable[[], Tensor]] = {
    "rand": lambda: torch.rand(()),
    "rand_like": lambda: torch.rand_like(torch.zeros(3)),
    "randn": lambda: torch.randn(2, dtype=torch.float64),
    "randint": lambda: torch.randint(10, (2, 2)),
    "randperm": lambda: torch.randperm(12),
    "bernoulli": lambda: torch.bernoulli(torch.full((5,), 0.02)),
    "multinomial": lambda: torch.multinomial(torch.ones(9), 1),
    "in place": lambda: torch.ones(4).uniform_(2, 3),
    "a mask in place": lambda: torch.ones(4, dtype=torch.bool).bernoulli_(0.98),
    "dropout": lambda: F.dropout(torch.rand(50, generator=torch.Generator().manual_seed(0)) + 1),
    "dropout of channels": lambda: F.dropout2d(torch.ones(2, 9, 3, 3)),
    "its own generator": lambda: torch.rand(3, generator=torch.Generator()),
    "half precision": lambda: torch.rand(3, dtype=torch.bfloat16),
}


@pytest.mark.parametrize("name", DRAWS)
def test_every_number_is_smaller_in_one_block_than_in_the_other(name: str) -> None:
    found = []
    for draws in EXTREMES:
        with draws():
            found.append(DRAWS[name]())
    assert (found[0] < found[1]).all()
    assert found[0].shape == found[1].shape == DRAWS[name]().shape


def test_what_draws_nothing_and_complex_numbers_are_as_they_are() -> None:
    with EXTREMES[0]():
        assert torch.equal(torch.arange(4).cos(), torch.arange(4).cos())
        assert torch.randn(3, dtype=torch.complex64).shape == (3,)
        assert torch.rand(0).shape == (0,)
