"""Input invariance: whether a method sees a difference between two networks that have none.

    value = sim(A_f1(x), A_f2(x + m)),    distance = ‖A_f1(x) − A_f2(x + m)‖ / ‖A_f1(x)‖,    f2(x + m) = f1(x) for every x

f2 is f1 but for what its first layers add to take the shift m away (see `edits/shift.py`). Outputs and input gradients are
equal, so whatever differs is the method's doing: what it multiplies by the input, a fixed baseline, or noise as wide as the range
of the image. A baseline that follows the bounds, such as black, moves with a constant shift; no baseline follows a picture.

Shifts: constant, m_c = size (upper_c − lower_c), −1 as from [0, 1] to [−1, 0]; picture, m made so that input × gradient shows a
chessboard of 8 × 8 fields, at most size (upper_c − lower_c), 0.3 (see `passes/picture_shift.py`). Both maps are drawn with the
random numbers of the unshifted image, so that chance plays no part. f2 runs without acceleration.

Cost: one further map and 2 forward rows; with a picture, 1 forward and 1 backward row more.
Source: Kindermans, Hooker, Adebayo, Alber, Schütt, Dähne, Erhan & Kim, "The (un)reliability of saliency methods", 2017.
Differs from the paper: a number in place of a look; a padded convolution's correction is a map, so that f2 is exact at borders.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

import torch
from jaxtyping import Float
from pydantic import model_validator
from torch import Tensor

from heatproof.core.errors import ModelError
from heatproof.edits.shift import shifted
from heatproof.metrics.base import Explain, Scores, without_broken
from heatproof.metrics.comparison import ComparingMetric
from heatproof.models.model import Model
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.forward import raw_outputs
from heatproof.passes.picture_shift import picture_shift
from heatproof.perturb.draws import drawn_as

FIELDS = 8
"""Of the chessboard, a side."""
SIZES = {"constant": -1.0, "picture": 0.3}


class InputInvariance(ComparingMetric):
    """Similarity of a method's maps of two networks that are the same up to a shift of the input.

    shift  the same for all pixels of a channel, or the one that makes input × gradient show a picture.
    size   of a constant shift, or the limit of a picture's, as a share of the bounds' range; None = −1, or 0.3.
    """

    label: ClassVar[str] = "input invariance"
    meaning: ClassVar[str] = "Likeness of the map to that of a network which differs by a shift of its input alone; 1 if invariant."
    component_meanings: ClassVar[Mapping[str, str]] = {"distance": "distance: of the maps, as a share of the first one's length"}
    cite: ClassVar[str] = "Kindermans et al. 2017"

    shift: Literal["constant", "picture"] = "constant"
    size: float | None = None

    @model_validator(mode="after")
    def _some_shift(self) -> Self:
        if self.size is not None and (self.size == 0 or (self.shift == "picture" and self.size < 0)):
            expected = "any number but 0" if self.shift == "constant" else "a limit above 0"
            raise ValueError(f"size: expected {expected}, or None, got {self.size:g}")
        return self

    def explanations(self, stochastic: bool = True) -> int:
        return 1

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(2, clean=1) if self.shift == "constant" else PassCount(3, 1, clean=1)

    def measure(self, model: Model, images: Tensor, target: Tensor, explain: Explain, seed: int) -> Scores:
        plain = model.with_(engine=None)
        outputs = raw_outputs(plain, images)
        once, again = explain(images, target, seed).values, torch.empty_like(images)
        for rows, shift in self._shifts(plain, images, target):
            at = images[rows] + shift
            other = shifted(plain, shift)
            _check(other, raw_outputs(other, at), outputs[rows])
            with drawn_as(at, images[rows]):
                again[rows] = explain(at, target[rows], seed, other).values
        size, gap = (each.double().flatten(1).norm(dim=1) for each in (once, once - again))
        scores = Scores.of(
            self.compare(once, again),
            components={"distance": torch.where(size > 0, gap / size, torch.nan).to(once.dtype)},
            missing="one of the maps is constant, so that nothing can be like it",
        )
        return without_broken(scores, once, again)

    def _shifts(self, model: Model, images: Tensor, target: Tensor) -> list[tuple[slice, Float[Tensor, "c *space"]]]:
        """Which images share a shift, and the shift."""
        size = SIZES[self.shift] if self.size is None else self.size
        if self.shift == "constant":
            lower, upper = model.bounds.like(images)
            return [(slice(None), size * (upper - lower)[0])]
        board = _chessboard(*images.shape[2:]).to(images)
        return [(slice(i, i + 1), m) for i, m in enumerate(picture_shift(model, images, target, board, size))]


def _chessboard(height: int, width: int) -> Float[Tensor, "h w"]:
    row, column = (torch.arange(n) * FIELDS // n for n in (height, width))
    return 1.0 - 2.0 * ((row[:, None] + column) % 2)


def _check(other: Model, found: Tensor, expected: Tensor) -> None:
    """Raise `ModelError` unless outputs are the same up to rounding: to half the digits of their type."""
    gap = float((found - expected).abs().max() / expected.abs().max().clamp_min(1))
    if not gap <= torch.finfo(expected.dtype).eps ** 0.5:
        raise ModelError(
            f"{other.name}: expected the outputs that the network has without a shift, got a relative difference of {gap:.2g}; "
            "something sees the input otherwise than by torch's own operations: leave this network out"
        )
