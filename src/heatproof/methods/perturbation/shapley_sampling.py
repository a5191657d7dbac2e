"""Shapley values of feature groups by sampled permutations.

    φ_i = mean over permutations of v(groups before i, and i) − v(groups before i),    A_i = φ_i / |group i|

v(S) is the score with the groups of S present. Permutations come in pairs of one and its reverse, and v(all) and v(∅) are known, so
that a pair takes 2 (M − 1) passes. The contributions of a permutation sum to f(x) − f(nothing present), and so does the map. Where
all 2^M coalitions take no more passes, they are computed instead, and the values are exact.

Cost: 2 forward passes, and 2 (M − 1) for each pair; or 2^M in all. A random fill is drawn anew for each pair, which takes a pass.
Source: Castro, Gómez & Tejada, "Polynomial calculation of the Shapley value based on sampling", Computers & Operations Research
2009; Štrumbelj & Kononenko, JMLR 2010.
Differs from the paper because permutations come in pairs with their reverses (Mitchell et al., JMLR 2022), whose errors partly
cancel, and because coalitions are enumerated where there are few.
"""

from collections.abc import Callable
from typing import ClassVar

from jaxtyping import Bool, Float, Int
from torch import Tensor

from heatproof.methods.perturbation.coalition import OrderMethod
from heatproof.numerics.shapley_values import every_coalition, shapley_values
from heatproof.passes.coalition_game import CoalitionGame

STREAM = "permutation"


class ShapleySampling(OrderMethod):
    """Shapley values of feature groups, from random permutations, shared equally among the values of a group.

    samples    the number of permutations; even, since each comes with its reverse. With a tolerance, the most.
    groups     the division into feature groups: 7 cells along each axis by default, and the columns of a table.
    fill       what absent groups are replaced with: black by default, the lower bound of every channel. A random fill is drawn anew
               for each pair of permutations.
    tolerance  the relative standard error at which an image needs no more permutations.

    `details` holds the `effects` of the groups and their `standard_errors`, `[b, m]`.

    >>> import torch
    >>> from heatproof.methods import ShapleySampling
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> attribution = ShapleySampling(samples=4).attribute(model, images, target=3)
    >>> attribution.passes.forward  # for each image 2, and 48 for each permutation of 49 groups
    388
    >>> bool((attribution.gap < 1e-4).all())
    True
    """

    label: ClassVar[str] = "Shapley sampling"
    cite: ClassVar[str] = "Castro et al., Computers & Operations Research 2009"

    def n_coalitions(self, m: int) -> int:
        return (1 << m) - 2

    def enumerated(self, game: CoalitionGame) -> tuple[Bool[Tensor, "1 n m"], Callable[[Float[Tensor, "b n"]], Tensor]]:
        return every_coalition(game.m)[None], shapley_values

    def ranks(self, game: CoalitionGame, images: list[int], pairs: range) -> Int[Tensor, "i p m"]:
        draws, (i, p, m) = game.inputs.draws.on_cpu(), (len(images), len(pairs), game.m)
        each = [image for image in images for _ in pairs]
        return draws.rows(each).uniform(STREAM, [*pairs] * i, (m,)).argsort(1).argsort(1).view(i, p, m)
