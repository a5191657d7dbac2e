import pytest
import torch

from heatproof.numerics.finite import finite


@pytest.mark.parametrize("strange", [torch.nan, torch.inf, -torch.inf])
def test_one_strange_value_is_found_and_its_batch_mates_are_left_alone(strange: float) -> None:
    values = torch.randn(3, 2, 4, 4)
    values[1, 1, 2, 3] = strange
    assert finite(values).tolist() == [True, False, True]


def test_values_whose_sum_would_overflow_are_finite() -> None:
    assert finite(torch.full((1, 1000), torch.finfo(torch.float32).max)).tolist() == [True]
