"""The base classes of methods that score an image with only some of its feature groups present, and share the score among groups.

The effect of a group is shared equally among its values, so that a map sums to the effects. Values of no group are always present
and get zero.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field, PositiveFloat
from torch import Tensor

from heatproof.methods.base import Axiom, Case, Explanation, Method, clean_scores
from heatproof.methods.perturbation.base import WHOLE
from heatproof.numerics.wide import wide_type
from heatproof.passes.adaptive_sampling import AdaptiveSampling
from heatproof.passes.coalition_game import CoalitionGame, marginal_contributions, passes_of_a_pair
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.masked_scores import MaskedInputs
from heatproof.perturb.fills.base import Fill
from heatproof.perturb.fills.black import Black
from heatproof.perturb.groups.base import Groups
from heatproof.perturb.groups.regular_grid import RegularGrid

FIRST_ROUND = 8
"""The number of independent draws after which an error is first estimated, where there is a tolerance."""


@dataclass(frozen=True, eq=False)
class Effects:
    """The effects of the groups of images that have equally many of them, in float64.

    values          `[b, m]`.
    standard_error  `[b, m]`: 0 where nothing was sampled, NaN where there is no estimate.
    expected_sum    `[b]`, NaN where the method states none.
    error           `[b]`, the relative standard error of the map.
    used            `[b]`, the number of draws.
    notes           one for each image.
    details         further numbers `[b]` by name.
    """

    values: Float[Tensor, "b m"]
    standard_error: Float[Tensor, "b m"]
    expected_sum: Float[Tensor, " b"]
    error: Float[Tensor, " b"]
    used: Int[Tensor, " b"]
    notes: tuple[str, ...]
    details: dict[str, Tensor] = field(default_factory=dict)


class CoalitionMethod(Method, ABC):
    """A method that scores coalitions of feature groups.

    groups  the division into feature groups: 7 cells along each axis by default, and the columns of a table.
    fill    what absent groups are replaced with: black by default, the lower bound of every channel.

    Every map has, in its `details`, the `effects` of the groups and their `standard_errors`, `[b, m]`.
    """

    zero_because: ClassVar[str] = (
        "the score was the same whichever groups were present: the output does not depend on the input, or the image is its fill"
    )

    groups: Groups = RegularGrid()
    fill: Fill = Black()

    @abstractmethod
    def estimate(self, game: CoalitionGame) -> Effects:
        """The effects of the groups of images that have equally many of them."""

    @property
    def stochastic(self) -> bool:
        """Whether the map depends on the seed; with few groups all coalitions are computed, and nothing is drawn."""
        return True

    def explain(self, case: Case) -> Explanation:
        """The error is the standard error over coalitions or orders."""
        groups = self.groups(case.images, case.model.bounds, case.draws)
        inputs = MaskedInputs(case.model, case.images, case.target, case.draws, self.fill, groups)
        clean = clean_scores(case).double()
        whole = (groups.ids == 0).flatten(1).all(1).tolist()
        effects, errors = torch.full((2, len(case), groups.most), torch.nan, dtype=torch.double, device=clean.device)
        sums, relative = torch.full((2, len(case)), torch.nan, dtype=torch.double, device=clean.device)
        used, notes = torch.zeros_like(case.target), [WHOLE * each for each in whole]
        details: dict[str, Tensor] = {}
        for m in dict.fromkeys(groups.counts):
            at = [i for i, count in enumerate(groups.counts) if count == m]
            found = self.estimate(CoalitionGame(inputs.rows(at), clean[at]))
            effects[at, :m], errors[at, :m] = found.values, found.standard_error
            sums[at], relative[at], used[at] = found.expected_sum, found.error, found.used.to(used)
            for i, note in zip(at, found.notes, strict=True):
                notes[i] = "; ".join(filter(None, (note, notes[i])))
            for name, numbers in found.details.items():
                details.setdefault(name, torch.full_like(sums, torch.nan))[at] = numbers
        beyond = torch.arange(groups.most, device=clean.device) >= torch.tensor(groups.counts, device=clean.device)[:, None]
        maps = groups.shared(effects.masked_fill(beyond, 0), case.images.shape[1])
        exact = wide_type(case.images.dtype)
        details = {"effects": effects, "standard_errors": errors, **details}
        return Explanation(
            maps.to(case.images.dtype),
            sums.to(exact),
            relative.to(exact),
            used,
            tuple(notes),
            {name: numbers.to(exact) for name, numbers in details.items()},
        )


class OrderMethod(CoalitionMethod, ABC):
    """A method that averages what each group adds to the groups before it, over orders of the groups in pairs with their reverses.

    samples    the number of orders; even, since each comes with its reverse. With a tolerance, the most.
    tolerance  the relative standard error at which an image needs no more orders.

    Where the coalitions of all possible orders take no more passes than the first round of sampling, they are computed, and the
    values are exact. A random fill is drawn anew for each pair of orders.
    """

    axioms: ClassVar[frozenset[Axiom]] = frozenset({Axiom.COMPLETE, Axiom.LINEAR})

    samples: int = Field(default=64, ge=2, multiple_of=2)
    tolerance: PositiveFloat | None = None

    @abstractmethod
    def n_coalitions(self, m: int) -> int:
        """The number of coalitions that all possible orders meet, besides the empty and the full one."""

    @abstractmethod
    def enumerated(self, game: CoalitionGame) -> tuple[Bool[Tensor, "i n m"], Callable[[Float[Tensor, "b n"]], Tensor]]:
        """These coalitions, once for all images or for each, the empty one first and the full one last; and values from scores."""

    @abstractmethod
    def ranks(self, game: CoalitionGame, images: list[int], pairs: range) -> Int[Tensor, "i p m"]:
        """The place of each group in the first order of each of these pairs, for each of these images."""

    def exact(self, m: int) -> bool:
        """Whether all coalitions are computed."""
        pairs = self.samples // 2
        first = pairs if self.tolerance is None else min(pairs, FIRST_ROUND)
        return not self.fill.stochastic and self.n_coalitions(m) <= first * passes_of_a_pair(m, random=False)

    def estimate(self, game: CoalitionGame) -> Effects:
        if self.exact(game.m):
            return self._enumerated(game)
        sampling = AdaptiveSampling(self.samples // 2, lambda pair: pair, self.tolerance)
        found = marginal_contributions(game, sampling, lambda images, pairs: self.ranks(game, images, pairs))
        return Effects(
            found.effects,
            found.standard_error,
            game.clean - found.absent,
            found.error,
            2 * found.used,
            sampling.notes(2 * found.used, found.error),
        )

    def _enumerated(self, game: CoalitionGame) -> Effects:
        coalitions, values = self.enumerated(game)
        coalitions = coalitions.to(game.clean.device)
        n = coalitions.shape[1] - 1  # the score of the full one is known

        def masks(image: list[int], k: list[int]) -> Tensor:
            return coalitions[[0] * len(image) if len(coalitions) == 1 else image, k]

        scores = game.scores([*range(len(game))], n, masks)
        effects = values(torch.cat([scores, game.clean[:, None]], 1))
        errors = torch.zeros_like(effects)
        relative = game.relative(effects, errors, [*range(len(game))])
        used = torch.full((len(game),), n - 1)
        return Effects(effects, errors, game.clean - scores[:, 0], relative, used, ("",) * len(game))

    def cost(self, image_shape: ImageShape) -> PassCount:
        m, random = self.groups.count(image_shape), self.fill.stochastic
        if self.exact(m):
            return PassCount(2 + self.n_coalitions(m), clean=1)
        return PassCount(1 + (not random) + self.samples // 2 * passes_of_a_pair(m, random=random), clean=1)
