"""Input invariance: the similarity of a method's maps of two networks that compute the same function up to a shift of the input.

    value = sim(A_f1(x), A_f2(x + m)),    distance = ‖A_f1(x) − A_f2(x + m)‖ / ‖A_f1(x)‖,    f2(x + m) = f1(x) for every x

A_f is the map of network f, m is the shift, and sim is the chosen similarity. The network f2 equals f1 except for constants in
its first layers that subtract the shift again (see `edits/shift.py`). The outputs and the input gradients of both networks are
equal, so every difference between the maps comes from the method: from a multiplication by the input, from a fixed baseline, or
from noise whose scale follows the range of the image. A baseline that is defined by the bounds, such as black, moves with a
constant shift. No baseline moves with a shift that differs from pixel to pixel.

A constant shift is m_c = size · (upper_c − lower_c) in channel c; the default size −1 shifts images in [0, 1] to [−1, 0]. A
picture shift is chosen such that input × gradient shows a chessboard of 8 × 8 fields (8 fields of a signal or a table), with at
most size · (upper_c − lower_c) in each value; the default size is 0.3 (see `passes/picture_shift.py`). Both maps use the random
draws of the unshifted image, so that randomness does not contribute to the difference. The network f2 runs without
acceleration.

Cost: 1 further map and 2 forward passes; a picture shift costs 1 forward and 1 backward pass more.
Source: Kindermans, Hooker, Adebayo, Alber, Schütt, Dähne, Erhan & Kim, "The (un)reliability of saliency methods", 2017.
Differs from the paper because the paper compares maps by eye, while this metric returns a number; and because the correction of a
padded convolution is a map rather than a constant, so that f2 is exact at the borders too.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, Self

import torch
from jaxtyping import Float
from pydantic import model_validator
from torch import Tensor

from heatproof.core.errors import ModelError
from heatproof.edits.shift import shifted
from heatproof.metrics.comparison import ComparingMetric
from heatproof.metrics.explain import Explain
from heatproof.metrics.scores import Scores, without_broken
from heatproof.models.model import Model
from heatproof.numerics.places import places_of
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.forward import raw_outputs
from heatproof.passes.picture_shift import picture_shift
from heatproof.perturb.draws import drawn_as

FIELDS = 8
"""The number of fields along each axis of the chessboard."""
SIZES = {"constant": -1.0, "picture": 0.3}
"""The default size of each kind of shift, as a share of the range of legal values."""


class InputInvariance(ComparingMetric):
    """Similarity of a method's maps of two networks that compute the same function up to a shift of the input.

    shift  constant adds one number per channel to all pixels; picture adds the shift that makes input × gradient show a chessboard
           (both: Kindermans et al., 2017).
    size   The size of a constant shift, or the largest value of a picture shift, as a share of the range of legal values. None
           means −1 for a constant shift and 0.3 for a picture shift.

    >>> import torch
    >>> from heatproof.methods import Gradient
    >>> from heatproof.metrics import InputInvariance, score
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> score(InputInvariance(), model, images, Gradient()).values > 0.999
    tensor([True, True])
    """

    label: ClassVar[str] = "input invariance"
    meaning: ClassVar[str] = "Similarity to the map of a network that computes the same function of a shifted image; 1 = invariant."
    component_meanings: ClassVar[Mapping[str, str]] = {
        "distance": "distance: norm of the difference of the maps, divided by the norm of the first"
    }
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
        once = explain(images, target, seed).values
        again = torch.empty_like(once)
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
            missing=self.undefined,
        )
        return without_broken(scores, once, again)

    def _shifts(self, model: Model, images: Tensor, target: Tensor) -> list[tuple[slice, Float[Tensor, "c *space"]]]:
        """Return each group of images that share a shift, as a slice of the batch, together with its shift."""
        size = SIZES[self.shift] if self.size is None else self.size
        if self.shift == "constant":
            lower, upper = model.bounds.like(images)
            return [(slice(None), size * (upper - lower)[0])]
        board = _chessboard(places_of(images.shape[1:])).to(images)
        return [(slice(i, i + 1), m) for i, m in enumerate(picture_shift(model, images, target, board, size))]


def _chessboard(places: Sequence[int]) -> Float[Tensor, " *places"]:
    """Signs that change from field to field, along each axis of the places."""
    field = torch.zeros((), dtype=torch.long)
    for n in places:
        field = field[..., None] + torch.arange(n) * FIELDS // n
    return 1.0 - 2.0 * (field % 2)


def _check(other: Model, outputs: Tensor, expected: Tensor) -> None:
    """Raise `ModelError` unless the outputs agree to half the digits of their number type."""
    gap = float((outputs - expected).abs().max() / expected.abs().max().clamp_min(1))
    if not gap <= torch.finfo(expected.dtype).eps ** 0.5:
        raise ModelError(
            f"{other.name}: expected the outputs that the network has without a shift, got a relative difference of {gap:.2g}; "
            "part of the network reads its input by something other than a torch operation: leave this network out"
        )
