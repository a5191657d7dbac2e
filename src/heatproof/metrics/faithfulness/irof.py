"""Iterative removal of features (IROF): the area over the curve of deletion of superpixels.

    IROF = 1 − area of f(x^(k)) / f(x) over the share of superpixels replaced

f is the explained score, x the image, and x^(k) the image of which the k first superpixels, by the mean of the map over each, are
replaced by the mean of each channel. Where the clean score is not positive, or near zero, the value is NaN; of a regression, it is
the loss in the unit of the output (`metrics/faithfulness/relative_scores.py`).

Cost: 1 forward pass a map, and 1 for each step.
Source: Rieger & Hansen, "IROF: a low resource evaluation metric for explanation methods", ICLR workshop 2020.
Differs from the paper because the area is computed for each image, so that images can be compared in pairs, and because the score
is the output that the model explains, by default a logit, where the paper uses the probability.
"""

from typing import ClassVar

from heatproof.core.records import Direction
from heatproof.metrics.faithfulness.removal_metric import Curves, RemovalMetric, mean_and_error
from heatproof.metrics.scores import Scores
from heatproof.perturb.fills.base import Fill
from heatproof.perturb.fills.channel_mean import ChannelMean
from heatproof.perturb.groups.base import Groups
from heatproof.perturb.groups.slic import Slic
from heatproof.perturb.masks.removal_order import Order


class Irof(RemovalMetric):
    """Area over the curve of deletion, superpixel by superpixel.

    groups   The regions, by default about 50 SLIC superpixels; None means that every pixel is one.
    steps    The number of steps, as equal as whole regions allow; None means one for each region that is expected.
    share    The share of the regions that is replaced by the last step.
    fill     The values that replace regions.
    draws    The number of draws of the fill for each image; None means 10 for a random fill and 1, the only choice, for any other.
    ranking  Whether regions are ranked by their relevance (signed) or by its magnitude (absolute).
    output   The score that is measured; None means the one that the model explains.

    >>> import torch
    >>> from heatproof.metrics import Irof
    >>> from heatproof.models.loaders import Toy
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> metric = Irof(groups={"name": "slic", "segments": 9})
    >>> tuple(metric.score(model, images, None, images).curve.shape)
    (2, 10)
    """

    label: ClassVar[str] = "IROF"
    title: ClassVar[str] = "iterative removal of features"
    meaning: ClassVar[str] = (
        "Mean loss of score, relative to the clean image, while superpixels are replaced in the order of the map."
    )
    better: ClassVar[Direction] = Direction.HIGHER
    curve_axes: ClassVar[tuple[str, str]] = ("steps", "score relative to the clean image")
    cite: ClassVar[str] = "Rieger & Hansen, ICLR workshop 2020"

    groups: Groups | None = Slic(segments=50)
    fill: Fill = ChannelMean()

    @property
    def orders(self) -> tuple[Order, ...]:
        return ("most",)

    def summary(self, curves: Curves) -> Scores:
        curves = curves.relative()
        value, error = mean_and_error(curves.relative_to.start - curves.heights()[:, 0])
        return curves.relative_to.where_meaningful(Scores.of(value, error=error, curve=curves.means()[:, 0]))
