"""The base class of methods that remove one piece of an input at a time.

    e_j = f(x) − mean_d f(x with piece j replaced by draw d of the fill)

A piece is a feature group or a window. The effect of a piece is shared equally among its values, so that a map of disjoint pieces
sums to the effects.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from jaxtyping import Float, Int
from pydantic import PositiveFloat, PositiveInt, model_validator
from torch import Tensor

from heatproof.methods.base import Case, Explanation, Method, clean_scores
from heatproof.numerics.wide import wide_type
from heatproof.passes.adaptive_sampling import AdaptiveSampling, scatter_error
from heatproof.passes.box_scores import box_scores, takes_boxes
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.masked_scores import MaskedInputs, masked_scores
from heatproof.passes.sampling_rounds import in_rounds
from heatproof.perturb.fills.base import Fill, Imputation
from heatproof.perturb.fills.black import Black
from heatproof.perturb.groups.feature_groups import FeatureGroups

WHOLE = "one piece holds every value: the map says what removing the whole input changes, and not which part matters"


@dataclass(frozen=True, eq=False)
class Pieces:
    """The pieces that are removed from each image, one at a time.

    counts   the number of pieces of each image.
    present  `present(image, piece)` gives the mask of each input of a chunk, in the form that `MaskedInputs.scores` takes.
    spread   `spread(effects)` makes maps `[b, c, *space]` of effects `[b, m]`; it is linear.
    groups   the feature groups that masks speak of; None where masks are in the shape of the images.
    boxes    the pieces as rectangles, `[m, 2, 2]`; None where they are none.
    whole    whether one piece holds every value, for each image.
    """

    counts: tuple[int, ...]
    present: Callable[[list[int], list[int]], Tensor]
    spread: Callable[[Float[Tensor, "b m"]], Float[Tensor, "b c *space"]]
    groups: FeatureGroups | None
    boxes: Int[Tensor, "m 2 2"] | None
    whole: tuple[bool, ...]


class RemovalMethod(Method, ABC):
    """A method that removes one piece of an input at a time and looks at the change of the score.

    fill       what a removed piece is replaced with.
    draws      the number of draws of a random fill, over which scores are averaged; with a tolerance, the most. It must be 1 for a
               fill that is not random.
    tolerance  the relative standard error, over draws of a random fill, at which an image needs no more draws.
    """

    zero_because: ClassVar[str] = (
        "removing any piece left the score as it was: the output does not depend on the input there, or the fill equals the image"
    )

    fill: Fill = Black()
    draws: PositiveInt = 1
    tolerance: PositiveFloat | None = None

    @model_validator(mode="after")
    def _drawn_if_random(self) -> Self:
        if not self.fill.stochastic and (self.draws > 1 or self.tolerance is not None):
            raise ValueError(
                f"draws: expected 1 and no tolerance, since every draw of {self.fill.name} is the same, got {self.draws} and "
                f"{self.tolerance}; use fill='uniform' to average over noise"
            )
        return self

    @abstractmethod
    def pieces(self, case: Case) -> Pieces:
        """The pieces of each image."""

    @abstractmethod
    def n_pieces(self, image_shape: ImageShape) -> int:
        """The number of pieces of one image; where it depends on the content, about how many."""

    @abstractmethod
    def disjoint(self, image_shape: ImageShape) -> bool:
        """Whether no value is in more than one piece."""

    def adds_up(self, image_shape: ImageShape) -> bool:
        """Whether the map of an additive function sums to f(x) − f(everything removed)."""
        return self.disjoint(image_shape) and not isinstance(self.fill, Imputation)

    @property
    def stochastic(self) -> bool:
        return self.fill.stochastic

    def explain(self, case: Case) -> Explanation:
        """The error is the standard error over draws of the fill; the expected sum is f(x) − mean_d f(everything removed)."""
        pieces = self.pieces(case)
        inputs = MaskedInputs(case.model, case.images, case.target, case.draws, self.fill, pieces.groups)
        sampling, clean = AdaptiveSampling(self.draws, lambda draw: draw, self.tolerance), clean_scores(case)
        exact = wide_type(case.images.dtype)
        sums = case.images.new_zeros(sampling.parts, len(case), max(pieces.counts), dtype=exact)

        def draw(unfinished: list[int], draws: range) -> None:
            for part, image, piece, scores in _scores(inputs, pieces, unfinished, draws, sampling.part):
                change = clean[image].to(exact) - scores.to(exact)
                sums.index_put_((part, torch.tensor(image, device=part.device), piece), change, accumulate=True)

        def errors(unfinished: list[int], n: int) -> Tensor:
            maps = torch.stack([pieces.spread(each / n) for each in sums])
            return scatter_error(maps[:, unfinished], range(n))

        used, error = in_rounds(sampling, len(case), draw, errors)
        maps = pieces.spread(sums.sum(0) / used[:, None])
        additive = self.adds_up(tuple(case.images.shape[1:]))
        expected_sum = clean - inputs.absent(used) if additive else torch.full_like(clean, torch.nan)
        notes = zip(sampling.notes(used, error), pieces.whole, strict=True)
        return Explanation(
            maps.to(case.images.dtype),
            expected_sum,
            error,
            used * torch.tensor(pieces.counts, device=used.device),
            tuple("; ".join(filter(None, (note, WHOLE * whole))) for note, whole in notes),
        )

    def cost(self, image_shape: ImageShape) -> PassCount:
        passes = self.n_pieces(image_shape) + self.adds_up(image_shape)
        return PassCount(1 + self.draws * passes, clean=1)


def _scores(
    inputs: MaskedInputs, pieces: Pieces, unfinished: list[int], draws: range, part: Callable[[int], int]
) -> Iterator[tuple[Tensor, list[int], Tensor, Tensor]]:
    """Parts, images and pieces `[r]` of a chunk, with the scores `[r]`."""
    device = inputs.images.device
    if pieces.boxes is not None and takes_boxes(inputs):
        n = len(pieces.boxes)
        for draw, of_draw in zip(draws, box_scores(inputs.rows(unfinished), pieces.boxes, draws), strict=True):
            for i, scores in zip(unfinished, of_draw, strict=True):
                yield torch.full((n,), part(draw), device=device), [i] * n, torch.arange(n, device=device), scores
        return
    counts = [0] * len(inputs.images)
    for i in unfinished:
        counts[i] = pieces.counts[i] * len(draws)

    def places(image: list[int], k: list[int]) -> tuple[list[int], list[int]]:
        pairs = [divmod(each, pieces.counts[i]) for i, each in zip(image, k, strict=True)]
        return [draws.start + d for d, _ in pairs], [piece for _, piece in pairs]

    def masks(image: list[int], k: list[int]) -> Tensor:
        return pieces.present(image, places(image, k)[1])

    for chunk in masked_scores(inputs, counts, masks, lambda image, k: places(image, k)[0]):
        of_draw, piece = places(chunk.image, chunk.k)
        parts = torch.tensor([part(each) for each in of_draw], device=device)
        yield parts, chunk.image, torch.tensor(piece, device=device), chunk.scores
