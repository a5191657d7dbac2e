"""How alike two maps are, per sample. Constant maps have no correlation: the value is NaN, and the caller says why.

All are of entries as they are, signs included; for magnitudes give magnitudes, and `on_support` leaves entries out.
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
"""Two batches of maps to a number each."""
Variant = Literal["a", "b", "c"]


def cosine(a: Float[Tensor, "b *shape"], b: Float[Tensor, "b *shape"]) -> Float[Tensor, " b"]:
    """Cosine of the angle between two samples as vectors, in float64; NaN where one of them is zero."""
    x, y = (m.double().flatten(1) for m in (a, b))
    scale = x.square().sum(1).sqrt() * y.square().sum(1).sqrt()
    return torch.where(scale > 0, (x * y).sum(1) / scale, torch.nan).clamp(-1, 1).to(a.dtype)


def pearson(a: Float[Tensor, "b *shape"], b: Float[Tensor, "b *shape"]) -> Float[Tensor, " b"]:
    """Pearson correlation over all entries of a sample, in float64: the cosine without the means."""
    x, y = (m.double().flatten(1) for m in (a, b))
    return cosine(x - x.mean(1, keepdim=True), y - y.mean(1, keepdim=True)).to(a.dtype)


def average_ranks(values: Float[Tensor, "b n"]) -> Float[Tensor, "b n"]:
    """Ranks from 1 to n along the last axis, float64; tied values share the mean of their ranks."""
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
    """Pearson correlation of average ranks; NaN has no rank, so a sample that holds one has no correlation."""
    x, y = a.flatten(1), b.flatten(1)
    r = pearson(average_ranks(x), average_ranks(y)).to(a.dtype)
    return r.masked_fill((x.isnan() | y.isnan()).any(1), torch.nan)


def kendall(a: Float[Tensor, "b *shape"], b: Float[Tensor, "b *shape"], variant: Variant = "b") -> Float[Tensor, " b"]:
    """Kendall's τ over all entries of a sample, exact with ties, in O(n log n); NaN where one is constant or holds NaN.

        a   (C − D) / n₀,    n₀ = n(n − 1)/2, C and D the concordant and discordant pairs
        b   (C − D) / √((n₀ − n₁)(n₀ − n₂)), n₁ and n₂ the pairs tied in a and in b
        c   2 (C − D) / (n² (m − 1)/m), m the lesser number of distinct values

    Without ties all three are one number. Source: Kendall, Biometrika 1938 and 1945; Stuart, Biometrika 1953.
    """
    from scipy.stats import kendalltau

    def tau(x: Tensor, y: Tensor) -> float:
        given = x.numpy(), y.numpy()
        found = float(kendalltau(*given, variant="c" if variant == "c" else "b", method="asymptotic").statistic)
        return found * math.sqrt(_untied(x) * _untied(y)) if variant == "a" else found

    pairs = zip(a.detach().flatten(1).cpu(), b.detach().flatten(1).cpu(), strict=True)
    return torch.tensor([tau(x, y) for x, y in pairs], dtype=a.dtype, device=a.device)


def _untied(values: Float[Tensor, " n"]) -> float:
    """Share of the pairs that are not tied."""
    n = len(values)
    counts = torch.unique(values, return_counts=True)[1].double()
    return 1 - float((counts * (counts - 1)).sum()) / (n * (n - 1)) if n > 1 else math.nan


def greiner(cos: Float[Tensor, " *shape"]) -> Float[Tensor, " *shape"]:
    """The τ that goes with a cosine if entries are drawn in pairs from a centred elliptical law: (2/π) asin cos.

    Source: Greiner 1909, for the normal law; Lindskog, McNeil & Schmock 2003.
    """
    return 2 / math.pi * cos.clamp(-1, 1).asin()


def sign_agreement(a: Float[Tensor, "b *shape"], b: Float[Tensor, "b *shape"]) -> Float[Tensor, " b"]:
    """Share of entries of one sign among those that are zero in neither; NaN if there are none."""
    signs = a.flatten(1).sign() * b.flatten(1).sign()
    counted = (signs != 0).sum(1)
    return torch.where(counted > 0, (signs > 0).sum(1) / counted, torch.nan).to(a.dtype)


def top_k_intersection(a: Float[Tensor, "b *shape"], b: Float[Tensor, "b *shape"], k: int) -> Float[Tensor, " b"]:
    """|top k of a ∩ top k of b| / k. Among equals the earlier entry is taken, so zeros count as overlap once k exceeds the support.

    Raises:
        TensorError: k is not between 1 and the number of entries.
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
    """Structural similarity: Gaussian window of σ 1.5 and 11 pixels a side, its mean over all pixels whose window lies inside.

        (2 μ_a μ_b + c₁)(2 σ_ab + c₂) / ((μ_a² + μ_b² + c₁)(σ_a² + σ_b² + c₂)),    c₁ = (0.01 L)², c₂ = (0.03 L)²

    data_range  L, the width of the range that values could take; it is no property of the maps, so it has to be said.

    Source: Wang et al., IEEE Transactions on Image Processing 2004.

    Raises:
        TensorError: maps of less than 11 pixels a side.
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
    """A correlation of histograms of oriented gradients: 9 orientations, blocks of 3 × 3 cells.

    cell    pixels a side; None = a fourteenth of the shorter side, at least 4.

    Source: Dalal & Triggs, CVPR 2005; Adebayo et al., NeurIPS 2018 (Pearson in the text, Spearman in the code).

    Raises:
        TensorError: maps of fewer than three cells a side.
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
    """A measure of the entries inside the support alone; NaN where it has fewer than two."""
    found = [
        measure(x[inside][None], y[inside][None])[0] if inside.sum() > 1 else x.new_tensor(math.nan)
        for x, y, inside in zip(a, b, support, strict=True)
    ]
    return torch.stack(found) if found else a.new_zeros(0)
