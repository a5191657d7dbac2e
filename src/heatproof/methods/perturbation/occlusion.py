"""Occlusion: the drop of the score when a window is hidden, for windows that slide over the input.

    A_i = 1/c · mean over the windows W that hold place i of (f(x) − f(x with W hidden)) / |W|

|W| is the number of places of a window, and c the number of channels, which are hidden together. The windows begin at 0, s, 2 s …
along each axis; what reaches beyond the border is cut off. Where windows do not overlap, a map sums to the drops: for an additive
function that is f(x) − f(everything hidden), the expected sum.

Cost: 1 forward pass, and one for each window and draw of the fill, or the share of it that the window can affect; one more for
each draw where windows do not overlap. 784 windows for 224 × 224 pixels by default.
Source: Zeiler & Fergus, "Visualizing and understanding convolutional networks", ECCV 2014.
Differs from the paper because a drop is shared among the places of its window, so that maps add up; because windows slide over
signals, volumes and the columns of tables too; and because windows are filled with black by default, not grey.
"""

from typing import ClassVar, Self

from jaxtyping import Float
from pydantic import PositiveInt, model_validator
from torch import Tensor

from heatproof.methods.base import Axiom, Case
from heatproof.methods.perturbation.base import Pieces, RemovalMethod
from heatproof.passes.counting import ImageShape
from heatproof.perturb.masks.windows import Windows

Lengths = PositiveInt | tuple[PositiveInt, ...]


class Occlusion(RemovalMethod):
    """The drop of the score when a window is hidden.

    window     the size of a window: one number for every axis, or one for each. Of a table, the axis is that of its columns. An
               axis that is shorter than the window is covered by one window.
    stride     the distance of consecutive windows, likewise; no more than the window, so that every value is in one.
    fill       what a window is replaced with: black by default, the lower bound of every channel.
    draws      the number of draws of a random fill; with a tolerance, the most. It must be 1 for a fill that is not random.
    tolerance  the relative standard error, over draws of a random fill, at which an image needs no more draws.

    >>> import torch
    >>> from heatproof.methods import Occlusion
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> attribution = Occlusion(window=7, stride=7).attribute(model, images, target=3)
    >>> attribution.values.shape, attribution.passes.forward  # the image, 16 windows, and everything hidden
    (torch.Size([2, 1, 28, 28]), 36)
    """

    axioms: ClassVar[frozenset[Axiom]] = frozenset({Axiom.LINEAR})
    cite: ClassVar[str] = "Zeiler & Fergus, ECCV 2014"

    window: Lengths = 15
    stride: Lengths = 8

    @model_validator(mode="after")
    def _no_gaps(self) -> Self:
        sizes, strides = ((each,) if isinstance(each, int) else each for each in (self.window, self.stride))
        n = max(len(sizes), len(strides))
        pairs = zip(sizes * (n if len(sizes) == 1 else 1), strides * (n if len(strides) == 1 else 1), strict=False)
        if wide := [(size, stride) for size, stride in pairs if stride > size]:
            raise ValueError(
                f"stride: expected no more than the window, {wide[0][0]}, got {wide[0][1]}; larger strides leave gaps that no "
                "window hides"
            )
        return self

    def pieces(self, case: Case) -> Pieces:
        b, c, *space = case.images.shape
        windows = self._windows((c, *space))

        def present(_: list[int], piece: list[int]) -> Tensor:
            kept = ~windows.covering(piece).to(case.images.device)
            return kept[:, None] if space else kept

        def spread(effects: Float[Tensor, "b m"]) -> Float[Tensor, "b c *space"]:
            places = windows.spread(effects)
            return (places[:, None] / c).expand(case.images.shape).clone() if space else places

        boxes = windows.boxes if len(space) == 2 else None
        return Pieces((windows.count,) * b, present, spread, None, boxes, (windows.count == 1,) * b)

    def n_pieces(self, image_shape: ImageShape) -> int:
        return self._windows(image_shape).count

    def disjoint(self, image_shape: ImageShape) -> bool:
        return self._windows(image_shape).disjoint

    def _windows(self, image_shape: ImageShape) -> Windows:
        """The windows over places, or over the columns of a table."""
        return Windows.over(image_shape[1:] or image_shape, self.window, self.stride)
