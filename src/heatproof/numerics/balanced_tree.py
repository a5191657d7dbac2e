"""A binary tree over points: each node halves its points along the axis on which they spread the most."""

from collections.abc import Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor

Tree = int | tuple[Any, Any]
"""A leaf, by the number of its point, or two trees."""


def balanced_tree(points: Float[Tensor, "m axes"]) -> Tree:
    """The tree of the points. The sizes of the two parts of a node differ by one at most, the first being the larger.

    Points that are equal on an axis are told apart by the other axes, and at last by their numbers.

    >>> import torch
    >>> from heatproof.numerics.balanced_tree import balanced_tree
    >>> balanced_tree(torch.tensor([[0.0, 0.0], [0.0, 9.0], [1.0, 0.0], [1.0, 9.0]]))
    ((0, 2), (1, 3))
    """
    places = points.double().tolist()

    def divided(members: Sequence[int]) -> Tree:
        if len(members) == 1:
            return members[0]
        axes = range(points.shape[1])
        spread = [max(places[i][axis] for i in members) - min(places[i][axis] for i in members) for axis in axes]
        along = sorted(axes, key=lambda axis: -spread[axis])
        ordered = sorted(members, key=lambda i: ([places[i][axis] for axis in along], i))
        half = (len(ordered) + 1) // 2
        return divided(ordered[:half]), divided(ordered[half:])

    return divided(range(len(places)))
