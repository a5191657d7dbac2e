"""The distance of two tensors."""

from math import inf, nan

import pytest
import torch

from heatproof.numerics.distance import Distance


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([3.0, 4.0], [3.0, 4.0], (0, 0)),
        ([0.0, 0.0], [0.0, 0.0], (0, 0)),
        ([3.0, 4.0], [0.0, 0.0], (5, 1)),
        ([nan, inf, 4.0], [nan, inf, 1.0], (3, 0.75)),
        ([nan, 1.0], [0.0, 1.0], (inf, inf)),
        ([inf, 1.0], [-inf, 1.0], (inf, inf)),
        ([1.0], [1.0, 1.0], (inf, inf)),
    ],
)
def test_distances_are_norms_and_what_is_not_finite_in_one_only_is_infinitely_far(a, b, expected):
    assert Distance.between(torch.tensor(a), torch.tensor(b)) == Distance(*expected)


def test_half_precision_does_not_overflow():
    a = torch.full((100,), 60000.0, dtype=torch.float16)
    assert Distance.between(a, -a).relative == pytest.approx(2)
