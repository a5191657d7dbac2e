"""Faithfulness correlation: Pearson's r of a map's sums over random subsets of one size with the drops when these are replaced.

    value = Pearson(Σ_{i in S} A_i, f(x) − f(x with S replaced))   over random subsets S

A is the map, f the explained score and x the image. It is one point of the curve of `sensitivity_n`, and uses the same passes where
cells, fill, share and samples are the same. A random map has expectation 0.

Cost: 1 forward pass a map; for all methods together 1 for each subset.
Source: Bhatt, Weller & Moura, "Evaluating and aggregating feature-based model explanations", IJCAI 2020.
Differs from the paper because cells of a grid are replaced by default, not single values, whose effects in a picture are near the
rounding of the score.
"""

from typing import ClassVar

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from heatproof.core.records import Direction
from heatproof.metrics.faithfulness.cell_metric import CellMetric, effect_correlation
from heatproof.metrics.scores import Scores
from heatproof.models.model import Model
from heatproof.passes.counting import ImageShape, PassCount


class FaithfulnessCorrelation(CellMetric):
    """Correlation of a map's sums over random subsets of cells with the drops of the score.

    groups   The cells: by default a grid of 7 × 7.
    share    The size of the subsets, as a share of the cells.
    samples  The number of subsets.
    fill     The values that replace cells.
    output   The score that is measured; None means the one that the model explains.

    >>> import torch
    >>> from heatproof.metrics import FaithfulnessCorrelation
    >>> from heatproof.models.loaders import Toy
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> FaithfulnessCorrelation(samples=10).score(model, images, None, images).values.shape
    torch.Size([2])
    """

    label: ClassVar[str] = "faithfulness correlation"
    meaning: ClassVar[str] = "Pearson’s r of the map's sums over random subsets of cells with the drops of the score."
    better: ClassVar[Direction] = Direction.HIGHER
    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    cite: ClassVar[str] = "Bhatt et al., IJCAI 2020"

    share: float = Field(default=0.25, gt=0, lt=1)
    samples: PositiveInt = Field(default=50, ge=2)

    def common_cost(self, image_shape: ImageShape) -> dict[str, PassCount]:
        return {self.key_of_subsets(self.share, self.samples): PassCount(self.samples)}

    def measure(self, model: Model, images: Tensor, target: Tensor, maps: Tensor, seed: int) -> Scores:
        inputs, groups = self.inputs(model, images, target, seed)
        clean, cells = inputs.clean(), groups.sums(maps)
        deletions = self.subsets(inputs, groups, self.share, self.samples, seed)
        each = zip(deletions, cells, clean, strict=True)
        rho = torch.stack([effect_correlation(d.sums(own), f - d.scores, f) for d, own, f in each])
        missing = "all subsets have the same sum or the same drop, or the network answered NaN or infinity"
        return Scores.of(rho, missing=missing)
