"""Owen values of feature groups: Shapley values in which neighbouring groups join or leave together, as a binary tree says.

    φ_i = mean over the orders that keep the groups of every node together, of v(groups before i, and i) − v(groups before i)

The tree halves the groups again and again along the axis on which their centres spread the most (`numerics/balanced_tree.py`), so
that fewer inputs with scattered holes are seen than with Shapley values. Owen values need about ⅔ M² coalitions. If these take no
more passes than `samples` orders, they are computed, and the values are exact for this tree; otherwise orders are sampled, each
with its reverse, as in `shapley_sampling`, with a standard error. The map sums to f(x) − f(nothing present) either way.

Cost: 2 forward passes, and about ⅔ M² more, or 2 (M − 1) for each pair of orders if these are fewer. A random fill is drawn anew
for each pair, which takes a pass.
Source: Owen, "Values of games with a priori unions", 1977; as an explanation, the partition explainer of shap (Lundberg).
Differs from the published software because the tree is made of places alone, and because a budget below the exact number of passes
gives unbiased estimates with a standard error, where the software shares what it has not explored equally.
"""

from collections.abc import Callable
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from heatproof.methods.perturbation.coalition import OrderMethod
from heatproof.numerics.balanced_tree import Tree, balanced_tree
from heatproof.numerics.owen_values import OwenValues, TreeOrders, owen_coalitions
from heatproof.passes.coalition_game import CoalitionGame

STREAM = "order of a tree"


class PartitionShap(OrderMethod):
    """Owen values of feature groups on a tree of neighbouring groups, shared equally among the values of a group.

    samples    the number of orders, which is also the budget of passes within which all coalitions of the tree are computed; even,
               since each order comes with its reverse. With a tolerance, the most.
    groups     the division into feature groups: 7 cells along each axis by default, and the columns of a table, of which those
               beside each other are neighbours.
    fill       what absent groups are replaced with: black by default, the lower bound of every channel. A random fill is drawn anew
               for each pair of orders.
    tolerance  the relative standard error at which an image needs no more orders.

    `details` holds the `effects` of the groups and their `standard_errors`, `[b, m]`.

    >>> import torch
    >>> from heatproof.methods import PartitionShap
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> sixteen = {"name": "patches", "side": 7}
    >>> attribution = PartitionShap(groups=sixteen).attribute(model, images, target=3)
    >>> attribution.passes.forward, attribution.error  # 172 for each image: exact for the tree of 16 groups
    (344, tensor([0., 0.]))
    """

    label: ClassVar[str] = "Partition SHAP"
    cite: ClassVar[str] = "Owen 1977; Lundberg & Lee, NeurIPS 2017"

    def n_coalitions(self, m: int) -> int:
        return owen_coalitions(m)

    def enumerated(self, game: CoalitionGame) -> tuple[Bool[Tensor, "i n m"], Callable[[Float[Tensor, "b n"]], Tensor]]:
        owen = [OwenValues.of(tree) for tree in trees(game)]

        def values(scores: Tensor) -> Tensor:
            if len(owen) == 1:
                return owen[0].values(scores)
            return torch.cat([each.values(row[None]) for each, row in zip(owen, scores, strict=True)])

        return torch.stack([each.coalitions for each in owen]), values

    def ranks(self, game: CoalitionGame, images: list[int], pairs: range) -> Int[Tensor, "i p m"]:
        draws, nodes = game.inputs.draws.on_cpu(), max(game.m - 1, 1)
        orders = [TreeOrders.of(tree) for tree in trees(game)]

        def of_image(i: int) -> Tensor:
            bits = draws.rows([i] * len(pairs)).uniform(STREAM, [*pairs], (nodes,)) < 0.5
            return orders[0 if len(orders) == 1 else i].ranks(bits)

        return torch.stack([of_image(i) for i in images])


def trees(game: CoalitionGame) -> list[Tree]:
    """The tree of the groups of each image, or one for all if they are divided in the same way."""
    groups = game.inputs.groups
    if groups is None:
        return []
    ids = groups.ids[:1] if groups.same else groups.ids
    axes = torch.meshgrid(*(torch.arange(n) for n in ids.shape[1:]), indexing="ij")
    places = torch.stack(axes, -1).double().view(-1, ids.ndim - 1)
    return [balanced_tree(_centres(each.flatten().cpu(), places, game.m)) for each in ids]


def _centres(ids: Int[Tensor, " n"], places: Float[Tensor, "n axes"], m: int) -> Float[Tensor, "m axes"]:
    """The mean place of each group."""
    within = ids >= 0
    sums = torch.zeros(m, places.shape[1], dtype=torch.double).index_add_(0, ids[within], places[within])
    return sums / torch.bincount(ids[within], minlength=m)[:, None]
