"""Similarity of two maps, sample by sample. A constant map has no correlation with another: the value is NaN, and the caller
explains it.

The functions compare signed values. For magnitudes, pass magnitudes; `on_support` restricts a measure to part of the entries.
"""

import math
from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from heatproof.core.errors import TensorError
from heatproof.numerics.blur import gaussian_blur

Measure = Callable[[Tensor, Tensor], Tensor]
"""A function of two batches of maps that returns one number for each pair."""
Variant = Literal["a", "b", "c"]


def cosine(a: Float[Tensor, "b *shape"], b: Float[Tensor, "b *shape"]) -> Float[Tensor, " b"]:
    """The cosine of the angle between two samples as vectors, computed in float64; NaN where one of them is zero.

    >>> import torch
    >>> from heatproof.numerics.similarity import cosine
    >>> a, b = torch.tensor([[1.0, 2.0, 3.0, 4.0]]), torch.tensor([[1.0, 2.0, 4.0, 3.0]])
    >>> cosine(a, 2 * b)
    tensor([0.9667])
    """
    x, y = (m.double().flatten(1) for m in (a, b))
    scale = x.square().sum(1).sqrt() * y.square().sum(1).sqrt()
    return torch.where(scale > 0, (x * y).sum(1) / scale, torch.nan).clamp(-1, 1).to(a.dtype)


def pearson(a: Float[Tensor, "b *shape"], b: Float[Tensor, "b *shape"]) -> Float[Tensor, " b"]:
    """The Pearson correlation over all entries of a sample, computed in float64: the cosine of the samples minus their means.

    >>> import torch
    >>> from heatproof.numerics.similarity import pearson
    >>> a, b = torch.tensor([[1.0, 2.0, 3.0, 4.0]]), torch.tensor([[1.0, 2.0, 4.0, 3.0]])
    >>> pearson(a, b)
    tensor([0.8000])
    """
    x, y = (m.double().flatten(1) for m in (a, b))
    return cosine(x - x.mean(1, keepdim=True), y - y.mean(1, keepdim=True)).to(a.dtype)


def average_ranks(values: Float[Tensor, "b n"]) -> Float[Tensor, "b n"]:
    """Ranks from 1 to n along the last axis, in float64; tied values share the mean of their ranks."""
    ordered, order = values.sort(dim=1)
    n = values.shape[1]
    position = torch.arange(1, n + 1, device=values.device).expand_as(order)
    new = torch.ones_like(ordered, dtype=torch.bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    first = torch.where(new, position, 0).cummax(1).values
    is_last = torch.ones_like(new)
    is_last[:, :-1] = new[:, 1:]
    last = torch.where(is_last, position, n + 1).flip(1).cummin(1).values.flip(1)
    return torch.empty_like(values, dtype=torch.float64).scatter_(1, order, (first + last).double() / 2)


def spearman(a: Float[Tensor, "b *shape"], b: Float[Tensor, "b *shape"]) -> Float[Tensor, " b"]:
    """Spearman's rank correlation, with average ranks for ties; NaN for a sample that contains NaN.

    >>> import torch
    >>> from heatproof.numerics.similarity import spearman
    >>> a, b = torch.tensor([[1.0, 2.0, 3.0, 4.0]]), torch.tensor([[1.0, 2.0, 4.0, 3.0]])
    >>> spearman(a, b)
    tensor([0.8000])
    """
    x, y = a.flatten(1), b.flatten(1)
    r = pearson(average_ranks(x), average_ranks(y)).to(a.dtype)
    return r.masked_fill((x.isnan() | y.isnan()).any(1), torch.nan)


def kendall(a: Float[Tensor, "b *shape"], b: Float[Tensor, "b *shape"], variant: Variant = "b") -> Float[Tensor, " b"]:
    """Kendall's τ over all entries of a sample, exact with ties, in O(n log n); NaN where one sample is constant or contains NaN.

        a   (C − D) / n₀,    n₀ = n(n − 1)/2, C and D the numbers of concordant and discordant pairs
        b   (C − D) / √((n₀ − n₁)(n₀ − n₂)), n₁ and n₂ the numbers of pairs tied in a and in b
        c   2 (C − D) / (n² (m − 1)/m), m the lesser number of distinct values

    Without ties all three are equal. Source: Kendall, Biometrika 1938 and 1945; Stuart, Biometrika 1953.

    >>> import torch
    >>> from heatproof.numerics.similarity import kendall
    >>> a, b = torch.tensor([[1.0, 2.0, 3.0, 4.0]]), torch.tensor([[1.0, 2.0, 4.0, 3.0]])
    >>> kendall(a, b)
    tensor([0.6667])
    """
    from scipy.stats import kendalltau

    def tau(x: Tensor, y: Tensor) -> float:
        if len(x) < 2:
            return math.nan
        result = kendalltau(x.numpy(), y.numpy(), variant="c" if variant == "c" else "b", method="asymptotic")
        return float(result.statistic) * math.sqrt(_untied(x) * _untied(y)) if variant == "a" else float(result.statistic)

    pairs = zip(a.detach().flatten(1).cpu(), b.detach().flatten(1).cpu(), strict=True)
    return torch.tensor([tau(x, y) for x, y in pairs], dtype=a.dtype, device=a.device)


def _untied(values: Float[Tensor, " n"]) -> float:
    """The share of the pairs that are not tied."""
    n = len(values)
    counts = torch.unique(values, return_counts=True)[1].double()
    return 1 - float((counts * (counts - 1)).sum()) / (n * (n - 1)) if n > 1 else math.nan


def greiner(cos: Float[Tensor, " *shape"]) -> Float[Tensor, " *shape"]:
    """The τ that corresponds to a cosine, if pairs of entries are drawn from a centred elliptical distribution: (2/π) asin cos.

    Source: Greiner 1909, for the normal distribution; Lindskog, McNeil & Schmock 2003.

    >>> import torch
    >>> from heatproof.numerics.similarity import greiner
    >>> greiner(torch.tensor([0.0, 0.5, 1.0]))
    tensor([0.0000, 0.3333, 1.0000])
    """
    return 2 / math.pi * cos.clamp(-1, 1).asin()


def sign_agreement(a: Float[Tensor, "b *shape"], b: Float[Tensor, "b *shape"]) -> Float[Tensor, " b"]:
    """The share of the entries with equal sign, among those that are zero in neither map; NaN if there are none.

    >>> import torch
    >>> from heatproof.numerics.similarity import sign_agreement
    >>> sign_agreement(torch.tensor([[1.0, -1.0, 2.0, 0.0]]), torch.tensor([[3.0, 1.0, 0.0, 1.0]]))
    tensor([0.5000])
    """
    signs = a.flatten(1).sign() * b.flatten(1).sign()
    counted = (signs != 0).sum(1)
    return torch.where(counted > 0, (signs > 0).sum(1) / counted, torch.nan).to(a.dtype)


def top_k_intersection(a: Float[Tensor, "b *shape"], b: Float[Tensor, "b *shape"], k: int) -> Float[Tensor, " b"]:
    """|top k of a ∩ top k of b| / k.

    Among equal entries the earlier one is taken, so zeros count as overlap once k exceeds the number of nonzero entries.

    Raises:
        TensorError: k is not between 1 and the number of entries.

    >>> import torch
    >>> from heatproof.numerics.similarity import top_k_intersection
    >>> a, b = torch.tensor([[1.0, 2.0, 3.0, 4.0]]), torch.tensor([[1.0, 2.0, 4.0, 3.0]])
    >>> top_k_intersection(a, b, k=1), top_k_intersection(a, b, k=2)
    (tensor([0.]), tensor([1.]))
    """
    n = a[0].numel()
    if not 1 <= k <= n:
        raise TensorError(f"k: expected 1 to {n}, the entries of a map, got {k}")
    chosen = [
        torch.zeros_like(x.flatten(1), dtype=torch.bool).scatter_(
            1, x.flatten(1).sort(dim=1, descending=True, stable=True).indices[:, :k], True
        )
        for x in (a, b)
    ]
    return ((chosen[0] & chosen[1]).sum(1) / k).to(a.dtype)


def ssim(a: Float[Tensor, "b h w"], b: Float[Tensor, "b h w"], data_range: float) -> Float[Tensor, " b"]:
    """Structural similarity, with a Gaussian window of σ 1.5 and 11 × 11 pixels, averaged over the pixels whose window lies inside
    the map.

        (2 μ_a μ_b + c₁)(2 σ_ab + c₂) / ((μ_a² + μ_b² + c₁)(σ_a² + σ_b² + c₂)),    c₁ = (0.01 L)², c₂ = (0.03 L)²

    data_range  L, the width of the range of possible values, which the maps themselves do not determine.

    Source: Wang et al., IEEE Transactions on Image Processing 2004.

    Raises:
        TensorError: The maps have fewer than 11 pixels a side.

    >>> import torch
    >>> from heatproof.numerics.similarity import ssim
    >>> maps = torch.linspace(0, 1, 784).view(1, 28, 28)
    >>> ssim(maps, maps, data_range=1.0).round(decimals=4)
    tensor([1.])
    """
    if min(a.shape[1:]) < 2 * _RADIUS + 1:
        raise TensorError(f"ssim: expected maps of at least {2 * _RADIUS + 1} pixels a side, got {list(a.shape[1:])}")
    x, y = (m.double()[:, None] for m in (a, b))
    means = [gaussian_blur(m, 1.5, truncate=3.5)[:, 0, _RADIUS:-_RADIUS, _RADIUS:-_RADIUS] for m in (x, y, x * x, y * y, x * y)]
    mean_x, mean_y = means[:2]
    var_x, var_y, cov = means[2] - mean_x**2, means[3] - mean_y**2, means[4] - mean_x * mean_y
    small, less = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    top = (2 * mean_x * mean_y + small) * (2 * cov + less)
    return (top / ((mean_x**2 + mean_y**2 + small) * (var_x + var_y + less))).flatten(1).mean(1).to(a.dtype)


_RADIUS = 5


def hog_similarity(
    a: Float[Tensor, "b h w"], b: Float[Tensor, "b h w"], measure: Measure = pearson, cell: int | None = None
) -> Float[Tensor, " b"]:
    """A measure of the histograms of oriented gradients of two maps, with 9 orientations and blocks of 3 × 3 cells.

    measure  compares the histograms, by default the Pearson correlation.
    cell     the side of a cell in pixels; None is a fourteenth of the shorter side, at least 4.

    Source: Dalal & Triggs, CVPR 2005; Adebayo et al., NeurIPS 2018 (Pearson in the text, Spearman in the code).

    Raises:
        TensorError: The maps have fewer than three cells a side.

    >>> import torch
    >>> from heatproof.numerics.similarity import hog_similarity
    >>> maps = torch.linspace(0, 1, 784).sin().view(1, 28, 28)
    >>> hog_similarity(maps, 3 * maps).round(decimals=3)
    tensor([1.])
    """
    from skimage.feature import hog

    side = min(a.shape[1:])
    cell = cell or max(4, side // 14)
    if side < 3 * cell:
        raise TensorError(
            f"hog: expected maps of at least {3 * cell} pixels a side, three cells of {cell}, got {list(a.shape[1:])}"
        )
    x, y = (
        torch.stack([torch.from_numpy(hog(m.numpy(), pixels_per_cell=(cell, cell))) for m in maps.detach().double().cpu()])
        for maps in (a, b)
    )
    return measure(x, y).to(a)


def on_support(
    measure: Measure, a: Float[Tensor, "b *shape"], b: Float[Tensor, "b *shape"], support: Bool[Tensor, "b *shape"]
) -> Float[Tensor, " b"]:
    """A measure of the entries inside the support alone; NaN where the support has fewer than two entries.

    >>> import torch
    >>> from heatproof.numerics.similarity import on_support, pearson
    >>> a, b = torch.tensor([[1.0, 2.0, 9.0]]), torch.tensor([[2.0, 4.0, -9.0]])
    >>> on_support(pearson, a, b, a < 5).round(decimals=4)
    tensor([1.])
    """
    scores = [
        measure(x[inside][None], y[inside][None])[0] if inside.sum() > 1 else x.new_tensor(math.nan)
        for x, y, inside in zip(a, b, support, strict=True)
    ]
    return torch.stack(scores) if scores else a.new_zeros(0)
