"""Pixel flipping: how fast the score falls as the pixels a map calls relevant are replaced, or rises as they come back.

    y_k = 1/P Σ_p f(x^(k, p)) / f(x),  k = 0 … K,    value = Σ_k (s_k − s_{k−1}) (y_{k−1} + y_k) / 2,    s_k = ⌊k n / K⌋ / n

f is the explained score, x the image of n pixels (times of a signal, voxels of a volume, columns of a table), K the number of
steps and P the number of draws of the fill. For deletion, x^(k, p) is the image with the share s_k of its pixels replaced by
draw p of the fill; for insertion, it is draw p of the fill with that share of pixels taken from the image. The pixels are those
first in the order of the map. So y_0 = 1 for deletion and y_K = 1 for insertion, and a score that never changes has area 1.
Pixels are ordered by the signed Σ_channels map, and all channels of a pixel are replaced at once; pixels of equal relevance are
in random order. With `groups`, whole regions take the place of pixels: over patches, deletion is the *selectivity* of a map.
Where the clean score is not positive, or near zero, the value is NaN; of a regression, y is the change f(x^(k, p)) − f(x), in the
unit of the output (`metrics/faithfulness/relative_scores.py`).

`error` is the standard error of the value over the P draws, each of which is one fill and one order of ties for the whole curve.

Cost: 1 + K P forward passes a map (P = 1 with a fill that is not random).
Source: Bach et al., PLoS ONE 2015 (flipping by order of relevance); Petsiuk, Das & Saenko, "RISE", BMVC 2018 (deletion, insertion,
area); Montavon, Samek & Müller, "Methods for interpreting and understanding deep neural networks", DSP 2018 (selectivity).
Differs from the papers because the score is relative to that of the clean image, so that images can be compared, and is the output
that the model explains, by default a logit (RISE uses the probability). RISE inserts into a blurred image: `fill="blurred"`. With
one fill and no ties, insertion of the most relevant pixels first is the same curve as deletion of the least relevant first, in
reverse, so that the two differ only by their fills.
"""

from typing import ClassVar, Literal

from pydantic import PositiveInt

from heatproof.core.records import Direction
from heatproof.metrics.faithfulness.removal_metric import Curves, RemovalMetric, mean_and_error
from heatproof.metrics.scores import Scores
from heatproof.perturb.masks.removal_order import Order


class PixelFlipping(RemovalMetric):
    """Area under the curve of deletion or insertion, over the share of pixels.

    groups   The regions; None means that every pixel is a region of its own. A region is ranked by the mean of the map over it.
    steps    The number of steps, K, as equal as whole pixels or regions allow; None means one for each.
    share    The share of the pixels that is treated by the last step; the area is then the mean height up to there.
    fill     The values that replace pixels.
    draws    The number of draws of the fill for each image, P; None means 10 for a random fill and 1, the only choice, for any
             other.
    ranking  Whether pixels are ranked by their relevance (signed) or by its magnitude (absolute).
    output   The score that is measured; None means the one that the model explains.
    order    Whether the most or the least relevant pixels come first.
    mode     `deletion` goes from the image to the fill, `insertion` from the fill to the image.

    >>> import torch
    >>> from heatproof.metrics import PixelFlipping
    >>> from heatproof.models.loaders import Toy
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> scores = PixelFlipping(steps=8).score(model, images, None, images)
    >>> tuple(scores.values.shape), tuple(scores.curve.shape)
    ((2,), (2, 9))
    """

    label: ClassVar[str] = "pixel flipping"
    meaning: ClassVar[str] = "Mean score, relative to the clean image, while pixels are replaced in the order of the map."
    better: ClassVar[Direction] = Direction.LOWER
    curve_axes: ClassVar[tuple[str, str]] = ("steps", "score relative to the clean image")
    cite: ClassVar[str] = "Bach et al., PLoS ONE 2015; Petsiuk et al., BMVC 2018"

    steps: PositiveInt | None = 32
    order: Order = "most"
    mode: Literal["deletion", "insertion"] = "deletion"

    @property
    def direction(self) -> Direction:
        return Direction.LOWER if (self.order == "most") == (self.mode == "deletion") else Direction.HIGHER

    @property
    def orders(self) -> tuple[Order, ...]:
        return (self.order,)

    @property
    def insertion(self) -> bool:
        return self.mode == "insertion"

    def summary(self, curves: Curves) -> Scores:
        curves = curves.relative()
        value, error = mean_and_error(curves.heights()[:, 0])
        return curves.relative_to.where_meaningful(Scores.of(value, error=error, curve=curves.means()[:, 0]))
