"""Images as games of their feature groups: the score of a coalition is that of the image with only these groups present.

`CoalitionGame` holds images that have the same number of groups, for methods that estimate what each group contributes.
`marginal_contributions` does so along random orders of the groups, in pairs of an order and its reverse:

    c_i = mean over the pairs of orders of v(what comes before i, and i) − v(what comes before i)

The contributions of an order sum to v(all) − v(none). The standard error is that of a mean over independent pairs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from heatproof.passes.adaptive_sampling import AdaptiveSampling
from heatproof.passes.masked_scores import MaskedInputs, masked_scores
from heatproof.passes.sampling_rounds import in_rounds


@dataclass(frozen=True, eq=False)
class CoalitionGame:
    """Images with the same number m of feature groups.

    inputs  the images, with their groups.
    clean   `[b]`, f(x) of each, in float64.
    """

    inputs: MaskedInputs
    clean: Float[Tensor, " b"]

    def __len__(self) -> int:
        return len(self.clean)

    @property
    def m(self) -> int:
        """The number of groups of each image."""
        return 0 if self.inputs.groups is None else self.inputs.groups.most

    def absent(self, n: int | Int[Tensor, " b"] = 1) -> Float[Tensor, " b"]:
        """The mean score with no group present over n draws of the fill, in float64. Cost: n forward passes an image."""
        return self.inputs.absent(n).double()

    def scores(
        self,
        images: list[int],
        n: int,
        coalitions: Callable[[list[int], list[int]], Bool[Tensor, "r m"]],
        draw: Callable[[list[int], list[int]], list[int]] = lambda image, _: [0] * len(image),
    ) -> Float[Tensor, "i n"]:
        """The scores of n coalitions of each of some images, in float64. Cost: n forward passes an image.

        Args:
            images: which images.
            n: the number of coalitions of each.
            coalitions: `coalitions(image, k)` gives coalition `k[r]` of image `image[r]` in row r.
            draw: the number of the fill's draw for each.
        """
        found = torch.zeros(len(self), n, dtype=torch.double, device=self.clean.device)
        counts = [n * (i in images) for i in range(len(self))]
        for chunk in masked_scores(self.inputs, counts, coalitions, draw):
            found[chunk.image, chunk.k] = chunk.scores.double()
        return found[images]

    def relative(self, effects: Float[Tensor, "i m"], errors: Float[Tensor, "i m"], images: list[int]) -> Float[Tensor, " i"]:
        """‖SE‖ / ‖A‖ of the maps in which each group's effect is shared among its values; NaN for a map of zero."""
        if self.inputs.groups is None:
            return torch.full_like(effects[:, 0], torch.nan)
        share = self.inputs.groups.sizes(self.inputs.images.shape[1])[images].clamp(min=1).rsqrt()
        size = (effects * share).norm(dim=1)
        return torch.where(size > 0, (errors * share).norm(dim=1) / size, torch.nan)


class Contributions(NamedTuple):
    """What each group contributes, in float64.

    effects         `[b, m]`.
    standard_error  `[b, m]`, NaN for a single pair of orders.
    absent          `[b]`, the mean of v(none) over the draws of the fill; effects sum to v(all) less this.
    used            `[b]`, the number of pairs of orders of each image.
    error           `[b]`, the relative standard error of the map.
    """

    effects: Float[Tensor, "b m"]
    standard_error: Float[Tensor, "b m"]
    absent: Float[Tensor, " b"]
    used: Int[Tensor, " b"]
    error: Float[Tensor, " b"]


def marginal_contributions(
    game: CoalitionGame, sampling: AdaptiveSampling, ranks: Callable[[list[int], range], Int[Tensor, "i p m"]]
) -> Contributions:
    """Estimate contributions along random orders.

    Cost: `passes_of_a_pair` forward passes for each pair of orders, and one more for an image if the fill is not random.

    Args:
        game: the images.
        sampling: how many pairs of orders, each a group of its own.
        ranks: `ranks(images, pairs)` gives the place of each group in the first order of each of these pairs of each image.
    """
    b, m, random = len(game), game.m, game.inputs.fill.stochastic
    sums = torch.zeros(3, b, m, dtype=torch.double, device=game.clean.device)  # of contributions and squares; [2, :, 0]: of v(none)
    fixed = None if random else game.absent()

    def draw(unfinished: list[int], pairs: range) -> None:
        places = ranks(unfinished, pairs).to(game.clean.device)
        row = {image: r for r, image in enumerate(unfinished)}
        each = passes_of_a_pair(m, random=random)

        def coalitions(image: list[int], k: list[int]) -> Tensor:
            pair, step = torch.tensor([divmod(number, each) for number in k]).T.to(places.device)
            if random:
                step = step - 1  # the first pass of a pair has nothing present
            reverse, length = step >= m - 1, step % max(m - 1, 1) + 1
            length = torch.where(step < 0, 0, length)[:, None]
            place = places[torch.tensor([row[i] for i in image], device=places.device), pair]
            return torch.where(reverse[:, None], place >= m - length, place < length)

        def draws(_: list[int], k: list[int]) -> list[int]:
            return [pairs.start + number // each for number in k]

        scores = game.scores(unfinished, len(pairs) * each, coalitions, draws).view(len(unfinished), len(pairs), each)
        none = scores[..., :1] if fixed is None else fixed[unfinished, None, None].expand(-1, len(pairs), 1)
        every = game.clean[unfinished, None, None].expand(-1, len(pairs), 1)
        forward, backward = scores[..., int(random) :].reshape(len(unfinished), len(pairs), 2, m - 1).unbind(2)
        along, against = (torch.cat([none, part, every], 2).diff(dim=2) for part in (forward, backward))
        found = (along.gather(2, places) + against.gather(2, m - 1 - places)) / 2
        sums[0, unfinished] += found.sum(1)
        sums[1, unfinished] += found.square().sum(1)
        sums[2, unfinished, 0] += none.sum((1, 2))

    def estimates(n: Tensor) -> tuple[Tensor, Tensor]:
        n = n.to(sums)[:, None]
        mean = sums[0] / n
        variance = (sums[1] / n - mean.square()).clamp(min=0) / (n - 1)
        return mean, torch.where(n > 1, variance, torch.nan).sqrt()

    def errors(unfinished: list[int], n: int) -> Tensor:
        mean, error = estimates(torch.full((b,), n))
        return game.relative(mean[unfinished], error[unfinished], unfinished)

    used, error = in_rounds(sampling, b, draw, errors)
    return Contributions(*estimates(used), sums[2, :, 0] / used, used, error)


def passes_of_a_pair(m: int, *, random: bool) -> int:
    """The forward passes that a pair of orders of M groups takes: what comes before each group but the first, and v(none) where it
    is drawn anew for each pair.

    >>> from heatproof.passes.coalition_game import passes_of_a_pair
    >>> passes_of_a_pair(4, random=False), passes_of_a_pair(4, random=True)
    (6, 7)
    """
    return 2 * (m - 1) + random
