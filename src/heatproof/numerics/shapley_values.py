"""Shapley values from the scores of all coalitions, and the weights by which a regression on coalitions has them as its solution.

    φ_i = Σ_{S ∌ i} |S|! (M − |S| − 1)! / M! · (v(S ∪ i) − v(S)),    v(S) the score with the players of S present

The same values solve a weighted least-squares problem in which the coalitions of size s weigh W_s ∝ 1 / (s (M − s)) together, for
0 < s < M, and φ sums to v(all) − v(none).

Sources: Shapley, "A value for n-person games", 1953; Charnes, Golany, Keane & Rousseau, "Extremal principle solutions of games in
characteristic function form", 1988.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def every_coalition(m: int) -> Bool[Tensor, "n m"]:
    """All 2^M coalitions of M players: player i is in coalition k if bit i of k is set; the first is empty, the last one full.

    >>> from heatproof.numerics.shapley_values import every_coalition
    >>> every_coalition(2).int().tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    return (torch.arange(2**m)[:, None] >> torch.arange(m) & 1).bool()


def shapley_values(scores: Float[Tensor, "b n"]) -> Float[Tensor, "b m"]:
    """The Shapley values of M players from the scores of their 2^M coalitions, in the order of `every_coalition`.

    >>> import torch
    >>> from heatproof.numerics.shapley_values import shapley_values
    >>> shapley_values(torch.tensor([[0.0, 1.0, 2.0, 6.0]]))  # one point and two, and three more together
    tensor([[2.5000, 3.5000]])
    """
    m = scores.shape[1].bit_length() - 1
    size = every_coalition(m).sum(1)
    shares = torch.tensor([1 / (m * math.comb(m - 1, s)) for s in range(m)] + [0.0], dtype=torch.double)
    weights = shares[size].to(scores)
    found = []
    for player in range(m):
        without, present = scores.view(len(scores), -1, 2, 2**player).unbind(2)
        found.append(((present - without) * weights.view(-1, 2, 2**player)[:, 0]).flatten(1).sum(1))
    return torch.stack(found, 1)


def kernel_mass(m: int) -> Float[Tensor, " s"]:
    """The share of the weight that the coalitions of each size 1 … M − 1 have together.

    >>> from heatproof.numerics.shapley_values import kernel_mass
    >>> kernel_mass(4)
    tensor([0.3636, 0.2727, 0.3636], dtype=torch.float64)
    """
    size = torch.arange(1, m, dtype=torch.double)
    mass = 1 / (size * (m - size))
    return mass / mass.sum()
