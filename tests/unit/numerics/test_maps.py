"""Reduction, normalisation, blur and edges on values that can be worked out by hand."""

import pytest
import torch

from heatproof.core.records import Reduction
from heatproof.numerics.blur import gaussian_blur, gaussian_kernel
from heatproof.numerics.normalise import percentile_scale, symmetric_scale
from heatproof.numerics.reduce import reduce
from heatproof.numerics.sobel import sobel
from tests.support import zoo
from tests.support.close import assert_close


@pytest.mark.parametrize(
    ("reduction", "expected"),
    [
        (Reduction.NONE, [3.0, -4.0, 0.0]),
        (Reduction.SUM, [-1.0]),
        (Reduction.ABSOLUTE_SUM, [7.0]),
        (Reduction.MEAN_ABSOLUTE, [7 / 3]),
        (Reduction.L2, [5.0]),
    ],
)
def test_channels_are_reduced_as_named(reduction: Reduction, expected: list[float]) -> None:
    assert reduce(torch.tensor([3.0, -4.0, 0.0]).view(1, 3, 1, 1), reduction).flatten().tolist() == pytest.approx(expected)


def test_percentile_scale_of_a_constant_is_zero_and_keeps_a_single_peak() -> None:
    assert not percentile_scale(torch.full((1, 1, 10, 10), 0.3)).any()
    peak = torch.zeros(1, 1, 20, 20)
    peak[0, 0, 3, 3] = -5
    assert percentile_scale(peak).sum() == 1


def test_percentile_scale_does_not_blow_up_the_rounding_of_a_constant() -> None:
    nearly = 1000 * (1 + 1e-7 * zoo.normal(1, 1, 16, 16))
    assert not percentile_scale(nearly).any()


def test_symmetric_scale_keeps_zero_and_sign() -> None:
    maps = torch.tensor([[-2.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    assert symmetric_scale(maps).tolist() == [[-1.0, 0.0, 0.5], [0.0, 0.0, 0.0]]


def test_each_sample_is_scaled_by_itself() -> None:
    maps = zoo.images(3, channels=1)
    scaled = percentile_scale(maps * torch.tensor([1.0, 100.0, 0.01]).view(3, 1, 1, 1))
    assert_close(scaled, percentile_scale(maps), 1e-5)


@pytest.mark.parametrize("sigma", [0.3, 0.5, 2.0])
def test_the_kernel_sums_to_one_and_is_symmetric(sigma: float) -> None:
    kernel = gaussian_kernel(sigma)
    assert kernel.sum().item() == pytest.approx(1)
    assert torch.equal(kernel, kernel.flip(0))
    assert len(kernel) == 2 * int(4 * sigma + 0.5) + 1


def test_blur_keeps_constants_and_the_mean() -> None:
    assert_close(gaussian_blur(torch.full((1, 2, 7, 9), 0.7), 1.5), torch.full((1, 2, 7, 9), 0.7), 1e-6)
    images = zoo.images(2, dtype=torch.float64)
    assert_close(gaussian_blur(images, 3).mean((2, 3)), images.mean((2, 3)), 1e-9)


def test_edges_of_a_ramp_are_its_slope() -> None:
    ramp = torch.arange(8.0).expand(1, 1, 8, 8) * 3
    assert_close(sobel(ramp)[..., 1:-1], torch.full((1, 1, 8, 6), 3.0), 1e-6)
    assert_close(sobel(ramp), sobel(ramp.transpose(2, 3)).transpose(2, 3), 1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_a_constant_image_has_no_edges_at_all(dtype: torch.dtype) -> None:
    """Differences come before products: a kernel of weights would leave their rounding, which a figure shows at full colour."""
    for value in (0.0, 0.1, 0.3, 0.7123, 255.0):
        assert not sobel(torch.full((1, 3, 9, 7), value, dtype=dtype)).any()
