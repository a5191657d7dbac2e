"""How alike two maps are, per sample. Constant maps have no correlation: the value is NaN, and the caller says why."""

import torch
from jaxtyping import Float
from torch import Tensor


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


def kendall(a: Float[Tensor, "b *shape"], b: Float[Tensor, "b *shape"]) -> Float[Tensor, " b"]:
    """Kendall's τ-b over all entries of a sample, exact with ties, in O(n log n); NaN where one is constant or holds NaN."""
    from scipy.stats import kendalltau

    pairs = zip(a.detach().flatten(1).cpu().numpy(), b.detach().flatten(1).cpu().numpy(), strict=True)
    return torch.tensor([float(kendalltau(x, y, method="asymptotic").statistic) for x, y in pairs], dtype=a.dtype, device=a.device)
