"""Unbiased estimators of how much a sampled map varies, from its rows.

A map is the mean of rows t_k (one gradient each). Rows that share randomness stand in one group of g. Σ_p sums over the values of a
map, s² is the sample variance over n groups.

    per row       V = g Σ_p s²(mean of a group)                          variance of the map = V / rows
    limit         ⟨E a, E b⟩ = Σ_p (ā b̄ − cov(a, b) / n)                from n pairs of rows (a_k, b_k)
    alone         V_1 = Σ_p mean(t²) − ‖E t‖²                            the same rows, were each drawn alone
    strata        V_s = Σ_i (1/g)² σ_i² / q_i,    q_i ∝ σ_i              a share q_i of the rows in stratum i (Neyman)
    control       V_c = Σ_p s²(t − c u),  E u = 0,  c = cov(t, u) / var(u)
    crossed       cov(a_{ms}, b_{m's'}) over maps m and seeds s of a metric

c and q are fitted on the other folds, so E(t − c u) = E t and no variance flatters itself. The limit's product lacks the error of
the means: that of a and a is the squared length of the limit without the sampling error, and may come out negative where there is
little to see.

Source: U-statistics: Hoeffding 1948; control variates and stratification: Owen, "Monte Carlo theory, methods and examples", ch. 8;
allocation: Neyman 1934; cross-fitting: Chernozhukov et al., "Double/debiased machine learning", 2018.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def per_row_variance(groups: Float[Tensor, "n g *map"]) -> float:
    """Variance of a map times its rows, summed over the map."""
    return groups.shape[1] * _sum_of_variances(groups.mean(1))


def alone_variance(groups: Float[Tensor, "n g *map"]) -> float:
    """The same, had every row been drawn alone from the law that a row of a random position in its group has."""
    square = float(groups.square().sum(dtype=torch.float64)) / (groups.shape[0] * groups.shape[1])
    means = groups.mean(1)
    return square - limit_product(means, means)


def strata_variances(groups: Float[Tensor, "n g *map"]) -> Float[Tensor, " g"]:
    """σ_i² of the rows of each stratum."""
    return torch.tensor([_sum_of_variances(rows) for rows in groups.unbind(1)], dtype=torch.float64)


def stratified_variance(groups: Float[Tensor, "n g *map"]) -> float:
    """The same, were row i of every group drawn from stratum i and nothing else shared."""
    return float(strata_variances(groups).mean())


def allocated_variance(groups: Float[Tensor, "n g *map"], folds: int = 2) -> float:
    """The same, with rows given to the strata in proportion to their standard deviation, as the other folds estimate it."""
    found = 0.0
    for fold in range(folds):
        own = torch.arange(len(groups)) % folds == fold
        share = strata_variances(groups[~own]).sqrt()
        found += float((strata_variances(groups[own]) * share.sum() / share).mean()) / groups.shape[1] / folds
    return found


def limit_product(a: Float[Tensor, "n *map"], b: Float[Tensor, "n *map"]) -> float:
    """Inner product of the limits of two maps whose rows come in pairs."""
    n = len(a)
    of_means = (a.mean(0).double() * b.mean(0).double()).sum()
    return float(of_means - ((a - a.mean(0)) * (b - b.mean(0))).sum(dtype=torch.float64) / (n - 1) / n)


def controlled_variance(rows: Float[Tensor, "n *map"], control: Float[Tensor, "n *map"], per_value: bool, folds: int = 4) -> float:
    """Variance of a row after a control of mean zero, its coefficient, one or one per value, fitted on the other folds."""
    found = 0.0
    for fold in range(folds):
        own = torch.arange(len(rows)) % folds == fold
        coefficient = _coefficient(rows[~own], control[~own], per_value)
        found += _sum_of_variances(rows[own] - coefficient * control[own]) / folds
    return found


def crossed_covariance(a: Float[Tensor, "m s"], b: Float[Tensor, "m s"], *, same_map: bool, same_seed: bool) -> float:
    """Covariance of a and b where their maps, the seeds, both or none are shared; the scores cross maps with seeds."""

    def mean_product(map_equal: bool, seed_equal: bool) -> float:
        maps, seeds = (
            torch.eye(n, dtype=torch.float64) if equal else 1 - torch.eye(n, dtype=torch.float64)
            for n, equal in zip(a.shape, (map_equal, seed_equal), strict=True)
        )
        return float(torch.einsum("ms,nt,mn,st->", a, b, maps, seeds) / (maps.sum() * seeds.sum()))

    centre = a.mean()
    a, b = (a - centre).double(), (b - centre).double()
    return mean_product(same_map, same_seed) - mean_product(False, False)


def difference_variance(a: Float[Tensor, "m s"], b: Float[Tensor, "m s"], *, same_map: bool, same_seed: bool) -> float:
    """Variance of a − b where their maps, the seeds, both or none are shared."""
    own = sum(crossed_covariance(x, x, same_map=True, same_seed=True) for x in (a, b))
    return own - (2 * crossed_covariance(a, b, same_map=same_map, same_seed=same_seed) if same_map or same_seed else 0.0)


def orthogonal(noise: Float[Tensor, "n *map"], size: int) -> Float[Tensor, "n *map"]:
    """Gaussian rows, made orthogonal within groups of `size`, each with the length it had.

    Directions become those of a uniformly random frame (Gram–Schmidt of Gaussian vectors) and lengths stay chi distributed, so
    each row is still exactly N(0, σ²I). Source: Yu et al., "Orthogonal random features", NeurIPS 2016.
    """
    made = []
    for group in noise.flatten(1).double().view(len(noise) // size, size, -1):
        frame, triangle = torch.linalg.qr(group.T)
        made.append((frame * triangle.diagonal().sign()).T * group.norm(dim=1, keepdim=True))
    return torch.cat(made).view_as(noise).to(noise.dtype)


def _coefficient(rows: Tensor, control: Tensor, per_value: bool) -> Tensor:
    rows, control = rows - rows.mean(0), control - control.mean(0)
    axes = (0,) if per_value else tuple(range(rows.ndim))
    square = control.square().sum(axes)
    return torch.where(square > 0, (rows * control).sum(axes) / square, 0.0)


def _sum_of_variances(rows: Tensor) -> float:
    return float((rows - rows.mean(0)).square().sum(dtype=torch.float64) / (len(rows) - 1))
