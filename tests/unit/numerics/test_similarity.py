import math
import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from skimage.feature import hog
from skimage.metrics import structural_similarity

from heatproof.core.errors import TensorError
from heatproof.numerics import similarity as of
from tests.references import similarity as slow

RNG = np.random.default_rng(3)


def pair(n=300, rho=0.5, b=2, ties=False):
    a = torch.from_numpy(RNG.normal(size=(b, n)))
    c = rho * a + math.sqrt(1 - rho**2) * torch.from_numpy(RNG.normal(size=(b, n)))
    return (a.round(), c.round()) if ties else (a, c)


@pytest.mark.parametrize("ties", [False, True])
def test_kendall_is_the_slow_count_of_pairs_in_every_variant(ties):
    a, b = pair(60, ties=ties)
    for variant in "abc":
        expected = [slow.kendall(x, y, variant) for x, y in zip(a.numpy(), b.numpy(), strict=True)]
        assert of.kendall(a, b, variant).tolist() == pytest.approx(expected, abs=1e-12)
    for variant in "bc":
        expected = [stats.kendalltau(x, y, variant=variant).statistic for x, y in zip(a, b, strict=True)]
        assert of.kendall(a, b, variant).tolist() == pytest.approx(expected, abs=1e-12)


def test_the_variants_are_one_without_ties_and_part_with_them():
    a, b = pair()
    assert of.kendall(a, b, "a").tolist() == pytest.approx(of.kendall(a, b, "b").tolist(), abs=1e-12)
    assert of.kendall(a, b, "c").tolist() == pytest.approx(of.kendall(a, b, "b").tolist(), abs=1e-12)
    tied = torch.where(torch.from_numpy(RNG.random(a.shape)) < 0.3, 0, a)
    once, twice, thrice = (of.kendall(tied, b, variant) for variant in "abc")
    assert (once < thrice).all()
    assert (thrice < twice).all(), "with values tied at zero in one vector, τ-a < τ-c < τ-b for a positive τ"


@given(st.lists(st.integers(-3, 3), min_size=3, max_size=12), st.permutations(range(12)))
def test_kendall_of_anything_with_itself_shuffled_is_the_slow_count(values, order):
    a = torch.tensor([values], dtype=torch.float64)
    b = a[:, [i for i in order if i < len(values)]]
    for variant in "abc":
        found = of.kendall(a, b, variant).item()
        if len(set(values)) == 1:
            assert math.isnan(found)
        else:
            assert found == pytest.approx(slow.kendall(a[0].numpy(), b[0].numpy(), variant), abs=1e-12)


def test_the_cost_grows_hardly_faster_than_the_map():
    """n log² n: sixteen times the pixels take about 27 times as long, where the pairs of pixels would take 256 times."""

    def seconds(pixels: int) -> float:
        a, b = (m.float() for m in pair(pixels, b=32))
        of.kendall(a, b)
        times = []
        for _ in range(3):
            started = time.perf_counter()
            of.kendall(a, b)
            times.append(time.perf_counter() - started)
        return min(times)

    assert seconds(16 * 56 * 56) < 100 * seconds(56 * 56)


def test_tau_of_a_normal_pair_follows_greiner():
    for rho in (-0.9, 0.0, 0.5, 0.9):
        a, b = pair(20_000, rho, b=4)
        torch.testing.assert_close(of.kendall(a, b), of.greiner(of.cosine(a, b)), atol=0.01, rtol=0)
    a, b = (m.abs() for m in pair(20_000, 0.5))
    assert of.cosine(a, b).mean() == pytest.approx(0.72, abs=0.02)
    assert of.kendall(a, b).mean() < 0.2, "magnitudes do not follow it: a cosine of 0.72 would mean 0.51"


def test_ssim_is_that_of_scikit_image():
    a, b = torch.rand(3, 28, 40).double(), torch.rand(3, 28, 40).double()
    for width in (1.0, 2.0):
        expected = [
            structural_similarity(x.numpy(), y.numpy(), data_range=width, gaussian_weights=True, use_sample_covariance=False)
            for x, y in zip(a, b, strict=True)
        ]
        assert of.ssim(a, b, width).tolist() == pytest.approx(expected, abs=1e-9)
    assert of.ssim(a, a, 1.0).tolist() == pytest.approx([1, 1, 1])
    with pytest.raises(TensorError, match="at least 11 pixels a side, got \\[10, 40\\]"):
        of.ssim(a[:, :10], b[:, :10], 1.0)


@pytest.mark.parametrize(("side", "cell"), [(28, 4), (224, 16)])
def test_hog_cells_grow_with_the_image(side, cell):
    a, b = torch.rand(2, side, side), torch.rand(2, side, side)
    features = [[hog(m.double().numpy(), pixels_per_cell=(cell, cell)) for m in maps] for maps in (a, b)]
    for measure, witness in ((of.pearson, stats.pearsonr), (of.spearman, stats.spearmanr)):
        expected = [witness(x, y).statistic for x, y in zip(*features, strict=True)]
        assert of.hog_similarity(a, b, measure).tolist() == pytest.approx(expected, abs=1e-5)
    with pytest.raises(TensorError, match="three cells of 4"):
        of.hog_similarity(a[:, :11], b[:, :11], cell=4)


def test_overlaps_and_signs():
    a, b = torch.tensor([[5.0, -1, 3, 0, 1]]), torch.tensor([[4.0, 2, -3, 1, 0]])
    assert of.top_k_intersection(a, b, 2).item() == 0.5
    assert of.top_k_intersection(a, b, 5).item() == 1
    assert of.sign_agreement(a, b).item() == pytest.approx(1 / 3)
    assert of.sign_agreement(a, torch.zeros_like(a)).isnan().all()
    with pytest.raises(TensorError, match="expected 1 to 5"):
        of.top_k_intersection(a, b, 6)


def test_zeros_hide_what_the_support_shows():
    """Two independent vectors times one sparse image: magnitudes correlate through their zeros alone."""
    image = torch.where(torch.from_numpy(RNG.random((4, 784))) < 0.19, torch.from_numpy(RNG.random((4, 784))), 0)
    a, b = (image * torch.from_numpy(RNG.normal(size=image.shape)) for _ in range(2))
    assert of.spearman(a.abs(), b.abs()).mean() > 0.9
    assert of.spearman(a, b).abs().max() < 0.2
    assert of.on_support(of.spearman, a.abs(), b.abs(), image != 0).mean() < 0.5
    assert of.on_support(of.spearman, a, b, torch.zeros_like(image, dtype=torch.bool)).isnan().all()
