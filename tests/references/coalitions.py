"""Methods that score coalitions of feature groups, from their definitions: one coalition and one order at a time, in float64."""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, permutations
from math import comb, exp, sqrt
from typing import Any

import torch
from torch import Tensor

Coalition = frozenset[int]
Game = Callable[[Coalition], float]


def game_of(f: Callable[[Tensor], float], x: Tensor, fill: Tensor, ids: Tensor) -> Game:
    """The score of an image with only some of its groups present; `ids` has the image's shape, −1 for no group."""

    def score(present: Coalition) -> float:
        keep = torch.tensor([int(group) in present or int(group) < 0 for group in ids.flatten()]).view(ids.shape)
        return f(torch.where(keep, x, fill))

    return score


def spread(effects: Sequence[float], ids: Tensor) -> Tensor:
    """A map of the effects, each shared equally among the values of its group."""
    found = torch.zeros(ids.shape, dtype=torch.double)
    for group, effect in enumerate(effects):
        found[ids == group] = effect / int((ids == group).sum())
    return found


def along(v: Game, order: Sequence[int]) -> dict[int, float]:
    """What each player adds to those before it."""
    return {player: v(frozenset(order[: at + 1])) - v(frozenset(order[:at])) for at, player in enumerate(order)}


def mean_over(v: Game, orders: Sequence[Sequence[int]]) -> list[float]:
    """The mean contribution of each player over orders."""
    found = [along(v, order) for order in orders]
    return [sum(each[player] for each in found) / len(found) for player in range(len(orders[0]))]


def shapley(v: Game, m: int) -> list[float]:
    """The mean over all orders."""
    return mean_over(v, [*permutations(range(m))])


def shapley_by_subsets(v: Game, m: int) -> list[float]:
    """The same from each coalition once, for more players."""
    found = [0.0] * m
    scores = {frozenset(s): v(frozenset(s)) for size in range(m + 1) for s in combinations(range(m), size)}
    for s, score in scores.items():
        for player in set(range(m)) - s:
            found[player] += (scores[s | {player}] - score) / (m * comb(m - 1, len(s)))
    return found


def tree_orders(tree: Any) -> Iterator[list[int]]:
    """All orders that keep the leaves of each node together."""
    if isinstance(tree, int):
        yield [tree]
        return
    for first in tree_orders(tree[0]):
        for second in tree_orders(tree[1]):
            yield first + second
            yield second + first


def kernel_shap(v: Game, m: int, coalitions: Sequence[Coalition]) -> list[float]:
    """The weighted least-squares fit to some coalitions, whose sum is set by eliminating the last player.

    The coalitions of each size have the weight (M − 1) / (s (M − s)) together.
    """
    none, every = v(frozenset()), v(frozenset(range(m)))
    rows, ys = [], []
    for s in coalitions:
        size = len(s)
        weight = (m - 1) / (size * (m - size)) / sum(len(other) == size for other in coalitions)
        last = float(m - 1 in s)
        rows.append([sqrt(weight) * (float(i in s) - last) for i in range(m - 1)])
        ys.append([sqrt(weight) * (v(s) - none - last * (every - none))])
    fit = torch.linalg.lstsq(torch.tensor(rows, dtype=torch.double), torch.tensor(ys, dtype=torch.double), driver="gelsd").solution
    free = fit[:, 0].tolist()
    return [*free, every - none - sum(free)]


def lime(v: Game, m: int, samples: Sequence[Coalition], *, distance: str, width: float, ridge: float) -> tuple[list[float], float]:
    """Coefficients and R² of the weighted ridge regression with an intercept, which has no penalty."""
    rows, ys, weights = [], [], []
    for s in samples:
        d = 1 - sqrt(len(s) / m) if distance == "cosine" else sqrt(m - len(s))
        weights.append(sqrt(exp(-(d**2) / width**2)))
        rows.append([1.0, *(float(i in s) for i in range(m))])
        ys.append(v(s))
    x, y, w = (torch.tensor(each, dtype=torch.double) for each in (rows, ys, weights))
    penalty = torch.diag(torch.tensor([0.0, *[ridge] * m], dtype=torch.double))
    beta = torch.linalg.solve(x.T @ (w[:, None] * x) + penalty, x.T @ (w * y))
    mean = (w * y).sum() / w.sum()
    r_squared = 1 - (w * (y - x @ beta).square()).sum() / (w * (y - mean).square()).sum()
    return beta[1:].tolist(), float(r_squared)
