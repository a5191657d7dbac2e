"""Shapley values by least squares on pairs of a coalition and its complement, which sum to v(all) − v(none) by a constraint.

    minimise Σ_p w_p (o_p − t_p·φ)²   subject to   Σ_i φ_i = Δ,    o_p = (v(S_p) − v(S̄_p)) / 2,   t_p = 1[i ∈ S_p] − ½

w_p is the weight W_s of the pair's size over the number of sampled pairs of this size, Δ = v(all) − v(none). Of a game, Shapley
values see only the odd part v(S) − v(S̄), so that v(none) drops out of all but Δ. With G = Σ w t tᵀ + c 1 1ᵀ, which the constraint
makes independent of c > 0,

    φ = H Σ w t o + q Δ / (1·q),    q = G⁻¹ 1,    H = G⁻¹ − q qᵀ / (1·q)

Standard errors are those of a stratified sample without replacement: to first order φ̂ − φ = H Σ_p w_p t_p r_p with residuals r_p,
and a size of which k of N pairs were sampled adds (1 − k/N) k times the variance of its summands. A size that is exhausted adds
nothing; while a size has no sample at all, the error is NaN. Residuals are divided by 1 − w_p t_p·H t_p (HC3), since those of a fit
are smaller than those of the function that it approximates.

Sources: Lundberg & Lee, NeurIPS 2017; Covert & Lee, "Improving KernelSHAP", AISTATS 2021 (pairs); MacKinnon & White 1985 (HC3).
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from heatproof.numerics.coalition_strata import stratum_mass, stratum_sizes


class PairedFit(NamedTuple):
    """effects `[b, m, d]` for each of d games on the same coalitions, and the standard error `[b, m]` of their mean over games."""

    effects: Float[Tensor, "b m d"]
    standard_error: Float[Tensor, "b m"]


def paired_fit(
    pairs: Bool[Tensor, "n_designs p m"], sizes: Int[Tensor, " p"], odd: Float[Tensor, "b p d"], total: Float[Tensor, "b d"]
) -> PairedFit:
    """The values that fit the odd parts best, in float64. One factorisation serves all games d, and all images of one design.

    Args:
        pairs: one coalition of each pair, for each image, or once for all.
        sizes: the size of the smaller coalition of each pair; all pairs of size 1 must be among them.
        odd: half the difference between the scores of a coalition and of its complement.
        total: Δ.

    >>> import torch
    >>> from heatproof.numerics.paired_fit import paired_fit
    >>> pairs = torch.eye(3).bool()[None]  # with their complements all coalitions of three players
    >>> odd = torch.tensor([[[-2.0], [-1.0], [0.0]]])  # (v(S) − v(rest)) / 2 where the players add 1, 2 and 3
    >>> paired_fit(pairs, torch.ones(3).long(), odd, torch.tensor([[6.0]])).effects.flatten()
    tensor([1., 2., 3.], dtype=torch.float64)
    """
    odd, total = odd.double(), total.double()
    m = pairs.shape[2]
    if not len(sizes):  # a single player, or nothing sampled of it
        return PairedFit(total[:, None] / m, torch.zeros_like(total[:, :1]))
    t, one = pairs.double() - 0.5, torch.ones(1, m, 1, dtype=torch.double, device=pairs.device)
    sizes = sizes.to(t.device)
    counts = torch.bincount(sizes, minlength=m // 2 + 1).to(t)
    w = (stratum_mass(m).to(t) / counts.clamp(min=1))[sizes][:, None]
    gram = t.mT @ (w * t)
    gram = gram + gram.diagonal(dim1=1, dim2=2).mean(1)[:, None, None] / m
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(gram))
    q = inverse @ one
    share = q / q.sum(1, keepdim=True)
    h = inverse - q @ share.mT
    effects = h @ (t.mT @ (w * odd)) + share * total[:, None]
    effects = effects + (total[:, None] - effects.sum(1, keepdim=True)) / m  # what rounding left of the constraint
    return PairedFit(effects, _standard_error(t, h, w, sizes, odd, effects))


def _standard_error(t: Tensor, h: Tensor, w: Tensor, sizes: Tensor, odd: Tensor, effects: Tensor) -> Tensor:
    m, counts = t.shape[2], torch.bincount(sizes, minlength=t.shape[2] // 2 + 1).to(t)
    th = t @ h
    leverage = (w * th * t).sum(2, keepdim=True)
    residual = odd.mean(2, keepdim=True) - t @ effects.mean(2, keepdim=True)
    summands = th * (w * residual / (1 - leverage).clamp(min=1e-6))
    first, second = (
        torch.zeros(len(each), len(counts), m, dtype=each.dtype, device=each.device).index_add_(1, sizes, each)
        for each in (summands, summands.square())
    )
    k = counts.clamp(min=1)[:, None]
    centred = torch.where(k > 1, (second - first.square() / k).clamp(min=0) * k / (k - 1).clamp(min=1), second)
    missing = bool((counts[1:] == 0).any())
    variance = torch.nan if missing else ((1 - k / stratum_sizes(m).to(k)[:, None]).clamp(min=0) * centred)[:, 1:].sum(1)
    games = effects.shape[2]
    over_games = effects.var(2) / games if games > 1 else torch.zeros_like(effects[:, :, 0])
    return (variance + over_games).sqrt()
