"""In which order the sizes of coalitions are sampled: pairs of a coalition and its complement, equally many of each size.

    stratum s = 1 … ⌊M/2⌋: the C(M, s) pairs of a coalition of size s with its complement; half as many where s = M − s

A sequence takes all M pairs of size 1 first, and then one pair of each larger size in turn, passing over sizes that are exhausted.
A longer sequence begins with the shorter one, and ends with every coalition.

Source: equal numbers for each size are the leverage scores of the least-squares problem: Musco & Witter, "Provably accurate Shapley
value estimation via leverage score sampling", ICLR 2025.
"""

import math
from functools import lru_cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heatproof.numerics.shapley_values import kernel_mass


def pairs_of_size(m: int, s: int) -> int:
    """The number of pairs of a coalition of size s with its complement.

    >>> from heatproof.numerics.coalition_strata import pairs_of_size
    >>> [pairs_of_size(4, s) for s in (1, 2)]
    [4, 3]
    """
    return math.comb(m, s) // (2 if 2 * s == m else 1)


def pairs_in_all(m: int) -> int:
    """The number of pairs of all sizes: (2^M − 2) / 2.

    >>> from heatproof.numerics.coalition_strata import pairs_in_all
    >>> pairs_in_all(4), pairs_in_all(1)
    (7, 0)
    """
    return (1 << (m - 1)) - 1


@lru_cache(maxsize=64)
def size_sequence(m: int, n: int) -> Int[Tensor, " n"]:
    """The smaller size of each of the first n pairs, n at most `pairs_in_all(m)`.

    >>> from heatproof.numerics.coalition_strata import size_sequence
    >>> size_sequence(6, 12)
    tensor([1, 1, 1, 1, 1, 1, 2, 3, 2, 3, 2, 3])
    """
    size, turn = [], []
    for s in range(1, m // 2 + 1):
        count = min(pairs_of_size(m, s), n)
        size.append(torch.full((count,), s))
        turn.append(torch.arange(count) if s > 1 else torch.full((count,), -1))
    order = torch.cat([torch.empty(0, dtype=torch.long), *turn]).argsort(stable=True)[:n]
    return torch.cat([torch.empty(0, dtype=torch.long), *size])[order]


def stratum_sizes(m: int) -> Float[Tensor, " s"]:
    """The number of pairs of each size 0 … ⌊M/2⌋.

    >>> from heatproof.numerics.coalition_strata import stratum_sizes
    >>> stratum_sizes(5)
    tensor([ 1.,  5., 10.], dtype=torch.float64)
    """
    return torch.tensor([float(pairs_of_size(m, s)) for s in range(m // 2 + 1)], dtype=torch.double)


def stratum_mass(m: int) -> Float[Tensor, " s"]:
    """The share of the kernel's weight that the pairs of each size 0 … ⌊M/2⌋ have together; none for size 0.

    >>> from heatproof.numerics.coalition_strata import stratum_mass
    >>> stratum_mass(4)
    tensor([0.0000, 0.7273, 0.2727], dtype=torch.float64)
    """
    of_size = torch.cat([torch.zeros(1, dtype=torch.double), kernel_mass(m), torch.zeros(1, dtype=torch.double)])
    mass = (of_size + of_size.flip(0))[: m // 2 + 1]
    if m % 2 == 0:
        mass[-1] /= 2
    return mass
