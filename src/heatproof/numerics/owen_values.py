"""Owen values: Shapley values of players who are bound into unions, and unions into larger ones, as a binary tree says.

    φ_i = mean over the orders of players that keep the players of every node together, of v(before i, and i) − v(before i)

The orders are those in which each node's two parts follow one another, in either order. Before leaf i, each sibling on its path to
the root is then wholly present or wholly absent, each with probability ½: a leaf of depth d has 2^d contexts, and a balanced tree
of M leaves needs about ⅔ M² coalitions, where Shapley values need 2^M.

Source: Owen, "Values of games with a priori unions", 1977, on trees of several levels (Winter, "A value for cooperative games with
levels structure of cooperation", 1989).
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from heatproof.numerics.balanced_tree import Tree


@lru_cache(maxsize=1024)
def owen_coalitions(m: int, depth: int = 0) -> int:
    """The number of coalitions besides the empty and the full one that a balanced tree of M leaves needs.

    >>> from heatproof.numerics.owen_values import owen_coalitions
    >>> [owen_coalitions(m) for m in (1, 2, 4, 49)]
    [0, 2, 10, 1770]
    """
    if m == 1:
        return 0
    return (2 << depth) + owen_coalitions((m + 1) // 2, depth + 1) + owen_coalitions(m // 2, depth + 1)


class OwenValues(NamedTuple):
    """Which coalitions Owen values need, and how the values follow from their scores.

    coalitions  `[n, m]`; the first is empty, the last one full.
    contexts    for each leaf, the numbers of its contexts and of the same with the leaf present.
    """

    coalitions: Bool[Tensor, "n m"]
    contexts: tuple[tuple[Int[Tensor, " c"], Int[Tensor, " c"]], ...]

    @classmethod
    def of(cls, tree: Tree) -> "OwenValues":
        """Of the players that are the leaves of a tree.

        >>> import torch
        >>> from heatproof.numerics.owen_values import OwenValues
        >>> owen = OwenValues.of((0, (1, 2)))
        >>> owen.coalitions.int().sum(1)
        tensor([0, 1, 2, 1, 2, 1, 2, 3])
        >>> owen.values(torch.tensor([[0.0, 0, 0, 0, 1, 0, 0, 1]]))  # one point for 0 and 1 together
        tensor([[0.5000, 0.5000, 0.0000]])
        """
        m = len(_leaves(tree))
        rows, contexts = [torch.zeros(1, m, dtype=torch.bool)], {}

        def descend(node: Tree, off: Tensor, on: Tensor, present: Tensor) -> None:
            """`off` and `on` number the contexts of a node and the same with the node; `present` is the leaves of the former."""
            if isinstance(node, int):
                contexts[node] = (off, on)
                return
            first, second = (present.index_fill(1, torch.tensor(_leaves(part)), True) for part in node)
            count = sum(map(len, rows))
            with_first, with_second = torch.arange(count, count + 2 * len(off)).view(2, -1)
            rows.extend([first, second])
            descend(node[0], torch.cat([off, with_second]), torch.cat([with_first, on]), torch.cat([present, second]))
            descend(node[1], torch.cat([off, with_first]), torch.cat([with_second, on]), torch.cat([present, first]))

        descend(tree, torch.tensor([0]), torch.tensor([-1]), rows[0])
        return cls(torch.cat([*rows, torch.ones(1, m, dtype=torch.bool)]), tuple(contexts[i] for i in range(m)))

    def values(self, scores: Float[Tensor, "b n"]) -> Float[Tensor, "b m"]:
        """The Owen value of each leaf, from the scores of the coalitions."""
        return torch.stack([(scores[:, on] - scores[:, off]).mean(1) for off, on in self.contexts], 1)


class TreeOrders(NamedTuple):
    """The orders of leaves that keep every node together, from one bit for each inner node: whether its second part is first.

    node      `[levels, m]`, the inner node above each leaf at each level.
    second    `[levels, m]`, whether the leaf is in that node's second part.
    sibling   `[levels, m]`, the number of leaves of the other part; 0 below a leaf's own depth.
    """

    node: Int[Tensor, "levels m"]
    second: Bool[Tensor, "levels m"]
    sibling: Int[Tensor, "levels m"]

    @classmethod
    def of(cls, tree: Tree) -> "TreeOrders":
        """Of a tree.

        >>> import torch
        >>> from heatproof.numerics.owen_values import TreeOrders
        >>> TreeOrders.of((0, (1, 2))).ranks(torch.tensor([[False, False], [True, False], [False, True]]))
        tensor([[0, 1, 2],
                [2, 0, 1],
                [0, 2, 1]])
        """
        m = len(_leaves(tree))
        levels, numbers = [], iter(range(m))
        parts: list[Tree] = [tree]
        while inner := [part for part in parts if not isinstance(part, int)]:
            node, second, sibling = torch.zeros(3, m, dtype=torch.long)
            for part in inner:
                number, sides = next(numbers), [_leaves(side) for side in part]
                for side, leaves in enumerate(sides):
                    node[leaves], second[leaves], sibling[leaves] = number, side, len(sides[1 - side])
            levels.append((node, second, sibling))
            parts = [side for part in inner for side in part]
        if not levels:
            return cls(*torch.zeros(3, 0, m, dtype=torch.long))
        node, second, sibling = (torch.stack(each) for each in zip(*levels, strict=True))
        return cls(node, second.bool(), sibling)

    def ranks(self, bits: Bool[Tensor, "r nodes"]) -> Int[Tensor, "r m"]:
        """The place of each leaf in the order of each row of bits; the opposite bits give the reverse order."""
        found = torch.zeros(len(bits), self.node.shape[1], dtype=torch.long)
        for node, second, sibling in zip(*self, strict=True):
            found += torch.where(bits[:, node] ^ second, sibling, 0)
        return found


def _leaves(tree: Tree) -> list[int]:
    def walk(node: Tree) -> Iterator[int]:
        if isinstance(node, int):
            yield node
            return
        for part in node:
            yield from walk(part)

    return [*walk(tree)]
