"""Random coalitions of feature groups: pairs with their complements, without repetition, in the order of sizes of the strata.

Of a size that has few pairs compared with those wanted, all are listed and put in a random order; of any other, coalitions are
drawn, and drawn again where one was drawn before. No coalition is in a sequence twice, so that no pass is wasted.
"""

from functools import lru_cache
from itertools import combinations

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from heatproof.numerics.coalition_strata import pairs_in_all, pairs_of_size, size_sequence
from heatproof.perturb.draws import Draws

STREAM = "coalitions"
LISTED = 4
"""A size is listed if it has no more than so many times the pairs that are wanted of it."""


def paired_coalitions(draws: Draws, m: int, n: int, *, shuffled: bool = True) -> Bool[Tensor, "b n m"]:
    """One coalition of each of n pairs, of the sizes of `size_sequence`; every image has pairs of its own.

    Args:
        draws: the random numbers of each image.
        m: the number of feature groups.
        n: the number of pairs, at most `pairs_in_all(m)`.
        shuffled: whether the order of a size that is exhausted matters. If not, and all are, there is one design for all images,
            `[1, n, m]`.

    >>> import torch
    >>> from heatproof.perturb.draws import Draws
    >>> from heatproof.perturb.masks.coalitions import paired_coalitions
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> paired_coalitions(Draws.for_images(0, images), m=6, n=9).sum(2)
    tensor([[1, 1, 1, 1, 1, 1, 2, 3, 2],
            [1, 1, 1, 1, 1, 1, 2, 3, 2]])
    """
    sizes, draws = size_sequence(m, n), draws.on_cpu()
    if n == pairs_in_all(m) and not shuffled:
        design = torch.empty(1, n, m, dtype=torch.bool)
        for s in {*sizes.tolist()}:
            design[:, sizes == s] = _listed(m, s)
        return design
    design = _of_sizes(draws.uniform(STREAM, 0, (n, m)), sizes)
    wanted = torch.bincount(sizes).tolist()
    listed = [s for s, k in enumerate(wanted) if k and pairs_of_size(m, s) <= LISTED * k]
    for s in listed:
        order = draws.uniform(f"{STREAM} of size {s}", 0, (pairs_of_size(m, s),)).argsort(1)[:, : wanted[s]]
        design[:, sizes == s] = _listed(m, s)[order]
    drawn = (~torch.isin(sizes, torch.tensor(listed, dtype=torch.long))).nonzero()[:, 0]
    for i in range(len(draws)):
        _draw_again(draws.rows([i]), design[i], sizes, drawn)
    return design


def _draw_again(draws: Draws, design: Bool[Tensor, "n m"], sizes: Tensor, rows: Tensor) -> None:
    """Replace, in place, each of the given rows that repeats an earlier pair, until none does."""
    known: set[bytes] = set()
    attempt = 0
    while len(rows):
        repeated = []
        first = design[rows] ^ design[rows, :1]  # of each pair, the coalition without player 0
        for row, coalition in zip(rows.tolist(), np.packbits(first.numpy(), axis=1), strict=True):
            pair = coalition.tobytes()
            if pair in known:
                repeated.append(row)
            known.add(pair)
        rows, attempt = torch.tensor(repeated, dtype=torch.long), attempt + 1
        if repeated:
            uniform = draws.uniform(STREAM, attempt, (len(repeated), design.shape[1]))[0]
            design[rows] = _of_sizes(uniform, sizes[rows])


def _of_sizes(uniform: Float[Tensor, "*b n m"], sizes: Int[Tensor, " n"]) -> Bool[Tensor, "*b n m"]:
    """The players with the smallest numbers, as many as each size says."""
    first = torch.arange(uniform.shape[-1]) < sizes[:, None]
    return torch.empty_like(uniform, dtype=torch.bool).scatter_(-1, uniform.argsort(-1), first.expand(uniform.shape))


@lru_cache(maxsize=256)
def _listed(m: int, s: int) -> Bool[Tensor, "n m"]:
    """One coalition of size s of each pair; where s = M − s, the one that holds player 0."""
    players = range(m) if 2 * s != m else range(1, m)
    chosen = [(0, *rest) for rest in combinations(players, s - 1)] if 2 * s == m else [*combinations(players, s)]
    return torch.zeros(len(chosen), m, dtype=torch.bool).scatter_(1, torch.tensor(chosen), True)
