import pytest
import torch

from heatproof.numerics.quantile import quantile


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99, 1.0])
def test_it_is_torchs_quantile(dtype, share):
    values = torch.randn(3, 101, dtype=dtype, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(quantile(values, share), torch.quantile(values, share, dim=1))
    assert quantile(values[:, :1], share).tolist() == values[:, 0].tolist()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_rounded_once(dtype):
    values = torch.randn(3, 100, generator=torch.Generator().manual_seed(0)).to(dtype)
    for share in (0.25, 0.99):
        assert torch.equal(quantile(values, share), torch.quantile(values.double(), share, dim=1).to(dtype))


def test_more_values_than_torch_takes():
    values = torch.arange(2**24 + 2, dtype=torch.float32)[None].flip(1)
    assert quantile(values, 0.5).item() == pytest.approx(2**23 + 0.5, abs=1)
