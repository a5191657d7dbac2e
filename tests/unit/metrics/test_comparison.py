import pytest
import torch

from heatproof.metrics import InputInvariance
from heatproof.numerics.similarity import cosine, pearson
from tests.support import zoo
from tests.support.close import assert_close, gap


def test_on_the_support_places_where_both_maps_are_zero_do_not_count() -> None:
    a, b = (zoo.images(3, seed=seed, dtype=torch.float64) for seed in (1, 2))
    a[:, :, :4], b[:, :, :4] = 0, 0
    a[:, :, 4, :2] = 0
    everywhere, support = (InputInvariance(similarity="pearson", channels="each", support=s).compare(a, b) for s in (False, True))
    assert_close(everywhere, pearson(a, b), 1e-12)
    assert_close(support, pearson(a[:, :, 4:], b[:, :, 4:]), 1e-12)
    assert gap(everywhere, support) > 1e-3


def test_magnitudes_forget_signs_and_a_sum_forgets_channels() -> None:
    a = zoo.images(2, seed=1, dtype=torch.float64)
    assert_close(InputInvariance(entries="absolute").compare(a, -a), torch.ones(2).double(), 1e-12)
    assert_close(InputInvariance().compare(a, -a), -torch.ones(2).double(), 1e-12)
    assert_close(InputInvariance(similarity="cosine").compare(a, a.flip(1)), torch.ones(2).double(), 1e-12)
    each = InputInvariance(similarity="cosine", channels="each").compare(a, a.flip(1))
    assert_close(each, cosine(a, a.flip(1)), 1e-12)


@pytest.mark.parametrize("similarity", ["ssim", "hog", "top"])
def test_pictures_and_greatest_values_need_every_entry(similarity: str) -> None:
    with pytest.raises(ValueError, match="support: expected false"):
        InputInvariance(similarity=similarity, support=True)
