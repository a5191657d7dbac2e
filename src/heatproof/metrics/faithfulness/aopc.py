"""Area over the perturbation curve (AOPC): the mean drop of the score while the patches a map ranks first are replaced.

    AOPC = 1/(K + 1) Σ_{k=0}^{K} (f(x) − f(x^(k)))

f is the explained score, x the image, and x^(k) the image whose first k of K steps of patches are replaced, in the order of the
map; patches lie on a fixed grid. The value is in the unit of the output, and neither relative to the clean score nor to what the
network can lose.

With `normalised`, it is (AOPC − lower) / (upper − lower), between the least and the largest AOPC of any order of the regions on
that network and image, so that networks can be compared. The limits are found by a beam search (`aopc_limits.py`), once for all
methods. They are those of orders that exist, so that a map whose order the search has missed may leave [0, 1]. Regions must be
few: a grid of 4 × 4 cells takes 272 forward passes with a beam of 1, and up to 1,232 with a beam of 5.

`error` is the standard error of the value over the draws of the fill, each with an order of ties of its own.

Cost: 2 + K P forward passes a map, with P draws; 1 + K P where the whole image is replaced at the end.
Source: Samek et al., "Evaluating the visualization of what a deep neural network has learned", TNNLS 2017; Edin et al.,
"Normalized AOPC: fixing misleading faithfulness metrics for feature attribution explainability", 2024 (normalised).
Differs from the paper because the area is computed for each image, and because patches do not slide; `perturbation_curve` is the
curve of sliding windows.
"""

from math import prod
from typing import ClassVar, Self

import torch
from jaxtyping import Float
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor

from heatproof.core.records import Direction
from heatproof.metrics.faithfulness.aopc_limits import aopc_limits, limit_passes
from heatproof.metrics.faithfulness.removal_metric import Curves, RemovalMetric, mean_and_error
from heatproof.metrics.scores import Scores
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.masked_scores import MaskedInputs
from heatproof.passes.removal_curves import RemovalSteps, regions_within
from heatproof.passes.shared_work import shared_work
from heatproof.perturb.fills.base import Fill
from heatproof.perturb.fills.uniform import Uniform
from heatproof.perturb.groups.base import Groups
from heatproof.perturb.groups.patches import Patches
from heatproof.perturb.masks.removal_order import Order


class Aopc(RemovalMetric):
    """Mean drop of the score along the curve of deletion.

    groups      The regions, by default patches of 9 × 9 pixels; None means that every pixel is one.
    steps       The number of steps, K, as equal as whole regions allow; None means one for each region.
    share       The share of the regions that is replaced by the last step: by default .16, 100 patches of an image of 224 × 224
                pixels.
    fill        The values that replace regions.
    draws       The number of draws of the fill for each image, P; None means 10 for a random fill and 1, the only choice, for any
                other.
    ranking     Whether regions are ranked by their relevance (signed) or by its magnitude (absolute).
    output      The score that is measured; None means the one that the model explains.
    order       Whether the most or the least relevant regions come first; with the least, lower is better.
    normalised  Whether the value is relative to the limits of the network on each image.
    beam        The number of sets of regions that the search for the limits goes on with.

    >>> import torch
    >>> from heatproof.metrics import Aopc
    >>> from heatproof.models.loaders import Toy
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> metric = Aopc(groups={"name": "patches", "side": 7}, share=0.5)
    >>> tuple(metric.score(model, images, None, images).curve.shape)
    (2, 9)
    """

    label: ClassVar[str] = "AOPC"
    title: ClassVar[str] = "area over the perturbation curve"
    meaning: ClassVar[str] = "Mean drop of the score, in its own unit, while patches are replaced in the order of the map."
    better: ClassVar[Direction] = Direction.HIGHER
    curve_axes: ClassVar[tuple[str, str]] = ("steps", "drop of the score")
    cite: ClassVar[str] = "Samek et al., TNNLS 2017"

    groups: Groups | None = Patches(side=9)
    share: float = Field(default=0.16, gt=0, le=1)
    fill: Fill = Uniform()
    draws: PositiveInt | None = 1
    order: Order = "most"
    normalised: bool = False
    beam: PositiveInt = 5

    @model_validator(mode="after")
    def _region_by_region(self) -> Self:
        if self.normalised and self.steps is not None:
            raise ValueError(
                f"steps: expected one for each region with normalised, since the limits are those of orders of regions, got "
                f"{self.steps}; leave it out, and take fewer regions, such as groups=RegularGrid(cells_per_axis=4)"
            )
        return self

    @property
    def direction(self) -> Direction:
        return Direction.HIGHER if self.order == "most" else Direction.LOWER

    @property
    def orders(self) -> tuple[Order, ...]:
        return (self.order,)

    def summary(self, curves: Curves) -> Scores:
        drops = curves.clean[:, None, None] - curves.scores[:, 0]
        areas, missing = drops.mean(2), "the network answered NaN or infinity"
        if curves.limits is not None:
            lower, upper = curves.limits.to(areas).unbind(2)
            width = upper - lower
            smallest = 8 * torch.finfo(width.dtype).eps * curves.clean.abs()[:, None]
            areas = torch.where(width > smallest, (areas - lower) / width, torch.nan)
            missing = f"all orders of the regions have the same area, or {missing}"
        value, error = mean_and_error(areas)
        return Scores.of(value, error=error, curve=drops.mean(1), missing=missing)

    def common_cost(self, image_shape: ImageShape) -> dict[str, PassCount]:
        if not self.normalised:
            return {}
        regions = prod(image_shape[1:] or image_shape) if self.groups is None else self.groups.count(image_shape)
        passes = limit_passes(regions, regions_within(self.share, regions), self.beam)
        return {self._key_of_limits: PassCount(self.fills * passes)}

    def limits(self, inputs: MaskedInputs, clean: Float[Tensor, " b"], steps: RemovalSteps, seed: int) -> Tensor | None:
        if not self.normalised:
            return None
        key = self._key_of_limits, seed if self.fill.stochastic else 0
        return shared_work(
            inputs.model, inputs.images, inputs.target, key, lambda: aopc_limits(inputs, clean, steps, self.beam, self.fills)
        )

    @property
    def _key_of_limits(self) -> str:
        """The digest of the settings that the limits depend on: not the order in which a map is followed."""
        return self.model_copy(update={"order": "most", "ranking": "signed"}).digest
