import pytest
import torch

from heatproof.core.errors import TensorError
from heatproof.numerics.bounds import Bounds
from tests.support import zoo
from tests.support.close import assert_close


def test_bounds_of_a_normalised_network_are_where_black_and_white_land() -> None:
    bounds = Bounds.from_mean_std((0.5, 0.25), (0.5, 0.25))
    assert bounds.lower.tolist() == [-1, -1]
    assert bounds.upper.tolist() == [1, 3]


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 5), (2, 3, 4, 4)], ids=["table", "series", "images"])
def test_pixels_and_model_space_are_each_others_inverse(shape: tuple[int, ...]) -> None:
    bounds = Bounds(torch.tensor([-1.0, 0, 2]), torch.tensor([1.0, 3, 8]))
    x = zoo.normal(*shape)
    assert_close(bounds.from_pixels(bounds.to_pixels(x)), x, 1e-6)
    assert torch.equal(bounds.from_pixels(torch.zeros(shape)), bounds.like(x)[0].expand(shape))
    assert_close(bounds.from_pixels(torch.ones(shape)), bounds.like(x)[1].expand(shape), 1e-6)


@pytest.mark.parametrize(("lower", "upper"), [([0.0], [0.0]), ([0.0, 1.0], [1.0, 0.5]), ([0.0], [torch.nan]), ([0.0, 0.0], [1.0])])
def test_bounds_without_room_are_refused(lower: list[float], upper: list[float]) -> None:
    with pytest.raises((TensorError, TypeError)):
        Bounds(torch.tensor(lower), torch.tensor(upper))
