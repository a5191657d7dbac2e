"""Sensitivity-n: over random subsets of n cells, does the map's sum over a subset go with the drop when the subset is replaced?

    ρ_n = Pearson(Σ_{i in S} A_i, f(x) − f(x with S replaced))   over random subsets S of n cells,    value = mean_n ρ_n

A is the map, f the explained score and x the image. The `curve` is ρ_n over the shares of the cells that n stands for. An exact
additive explanation has ρ_n = 1 for every n; a random map has expectation 0. Subsets of different sizes ask different questions:
effects of single cells at one end, and of all but a few at the other.

A curve has no value at a share at which all subsets have the same sum or the same drop. The score is the mean over the others, and
it is NaN where there are none.

Cost: 1 forward pass a map; for all methods together 1 for each subset.
Source: Ancona, Ceolini, Öztireli & Gross, "Towards better understanding of gradient-based attribution methods for deep neural
networks", ICLR 2018.
Differs from the paper because it is a number for each image, where the paper averages each ρ_n over images, and because cells of
a grid are replaced by default, not single values.
"""

from itertools import pairwise
from typing import ClassVar

import torch
from pydantic import Field, PositiveInt, field_validator
from torch import Tensor

from heatproof.core.records import Direction
from heatproof.metrics.faithfulness.cell_metric import CellMetric, effect_correlation
from heatproof.metrics.scores import Scores
from heatproof.models.model import Model
from heatproof.passes.counting import ImageShape, PassCount


class SensitivityN(CellMetric):
    """Correlation of a map's sums over random subsets of cells with the drops of the score, for subsets of several sizes.

    groups   The cells: by default a grid of 7 × 7.
    shares   The sizes of the subsets, as shares of the cells, in increasing order.
    samples  The number of subsets of each size.
    fill     The values that replace cells.
    output   The score that is measured; None means the one that the model explains.

    >>> import torch
    >>> from heatproof.metrics import SensitivityN
    >>> from heatproof.models.loaders import Toy
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> metric = SensitivityN(samples=10)
    >>> tuple(metric.score(model, images, None, images).curve.shape)
    (2, 5)
    >>> metric.cost((1, 28, 28)).forward, sum(cost.forward for cost in metric.common_cost((1, 28, 28)).values())
    (1, 50)
    """

    label: ClassVar[str] = "sensitivity-n"
    meaning: ClassVar[str] = "Whether the map's sums over random subsets of cells go with the drops when these are replaced."
    better: ClassVar[Direction] = Direction.HIGHER
    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    curve_axes: ClassVar[tuple[str, str]] = ("share of the cells that is replaced", "Pearson’s r of sums and drops")
    cite: ClassVar[str] = "Ancona et al., ICLR 2018"

    shares: tuple[float, ...] = Field(default=(0.05, 0.1, 0.25, 0.5, 0.8), min_length=1)
    samples: PositiveInt = Field(default=50, ge=2)

    @field_validator("shares")
    @classmethod
    def _increasing(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        if any(a >= b for a, b in pairwise(shares)) or shares[0] <= 0 or shares[-1] >= 1:
            raise ValueError(f"expected shares that increase between 0 and 1, got {list(shares)}")
        return shares

    @property
    def curve_at(self) -> tuple[float, ...]:
        return self.shares

    def common_cost(self, image_shape: ImageShape) -> dict[str, PassCount]:
        return {self.key_of_subsets(share, self.samples): PassCount(self.samples) for share in self.shares}

    def measure(self, model: Model, images: Tensor, target: Tensor, maps: Tensor, seed: int) -> Scores:
        inputs, groups = self.inputs(model, images, target, seed)
        clean, cells = inputs.clean(), groups.sums(maps)
        curve = []
        for share in self.shares:
            deletions = self.subsets(inputs, groups, share, self.samples, seed)
            each = zip(deletions, cells, clean, strict=True)
            curve.append(torch.stack([effect_correlation(d.sums(own), f - d.scores, f) for d, own, f in each]))
        rho = torch.stack(curve, 1)
        missing = "at every share, all subsets have the same sum or the same drop, or the network answered NaN or infinity"
        return Scores.of(rho.nanmean(1), curve=rho, missing=missing)
