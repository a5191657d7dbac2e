"""Single deletion: does a map order the cells of a grid as the drops of the score do when each cell alone is replaced?

    value = mean_p Spearman(Σ_{i in cell} A_i, f(x) − f(x with the cell replaced by draw p of the fill))   over the cells

A is the map, f the explained score and x the image. The drops depend on no map, so that they are computed once for all methods, no
map can pass information through the shape of a mask, and networks can be compared. A drop is the effect of one cell with all others
present: a map of contributions that are large only together with others is not rewarded.

Spearman's rank correlation gives ties their mean rank; it is NaN where all cells have the same sum or the same drop. `error` is the
standard error over the draws of the fill.

Cost: 1 forward pass a map; for all methods together 1 for each cell and draw, of which only the part that the cell affects is
computed where that is less work.
Source: Hesse, Schaub-Meyer & Roth, "Benchmarking the attribution quality of vision models" (IDSDS), NeurIPS 2024.
Differs from the paper because the network is the one that is explained, not a copy that was trained on images with a missing cell,
and because all channels of the map are summed.
"""

from typing import ClassVar, Self

import torch
from jaxtyping import Float
from pydantic import PositiveInt, model_validator
from torch import Tensor

from heatproof.core.records import Direction
from heatproof.metrics.faithfulness.cell_metric import CellMetric, Deletions
from heatproof.metrics.faithfulness.removal_metric import check_regions_and_draws, mean_and_error
from heatproof.metrics.scores import Scores
from heatproof.models.model import Model
from heatproof.numerics.similarity import spearman
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.perturb.groups.base import Groups
from heatproof.perturb.groups.regular_grid import RegularGrid


class SingleDeletion(CellMetric):
    """Rank correlation of a map's sums over cells with the drops of the score when single cells are replaced.

    groups  The cells: by default a grid of 4 × 4.
    fill    The values that replace a cell.
    draws   The number of draws of the fill for each cell; None means 10 for a random fill and 1, the only choice, for any other.
    output  The score that is measured; None means the one that the model explains.

    >>> import torch
    >>> from heatproof.metrics import SingleDeletion
    >>> from heatproof.models.loaders import Toy
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> metric = SingleDeletion()
    >>> metric.score(model, images, None, images).values.shape
    torch.Size([2])
    >>> metric.cost((1, 28, 28)).forward, [cost.forward for cost in metric.common_cost((1, 28, 28)).values()]
    (1, [16])
    """

    label: ClassVar[str] = "single deletion"
    meaning: ClassVar[str] = "Whether the map ranks the cells of a grid as the score does that drops when one of them is replaced."
    better: ClassVar[Direction] = Direction.HIGHER
    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    cite: ClassVar[str] = "Hesse et al., NeurIPS 2024"

    groups: Groups = RegularGrid(cells_per_axis=4)
    draws: PositiveInt | None = None

    @model_validator(mode="after")
    def _one_draw_is_enough(self) -> Self:
        check_regions_and_draws(self.groups, self.fill, self.draws)
        return self

    @property
    def fills(self) -> int:
        """The number of draws of the fill for each cell."""
        return self.draws or (10 if self.fill.stochastic else 1)

    def common_cost(self, image_shape: ImageShape) -> dict[str, PassCount]:
        return {self.key_of_singles(self.fills): PassCount(self.groups.count(image_shape) * self.fills)}

    def measure(self, model: Model, images: Tensor, target: Tensor, maps: Tensor, seed: int) -> Scores:
        inputs, groups = self.inputs(model, images, target, seed)
        clean, sums = inputs.clean(), groups.sums(maps)
        deletions = self.singles(inputs, groups, self.fills, seed)
        rho = torch.stack([self._correlations(*each) for each in zip(sums, deletions, clean, strict=True)]).to(clean)
        value, error = mean_and_error(rho)
        missing = "all cells have the same sum or the same drop, or the network answered NaN or infinity"
        return Scores.of(value, error=error, missing=missing)

    def _correlations(self, sums: Float[Tensor, " m"], deletions: Deletions, clean: Float[Tensor, ""]) -> Float[Tensor, " draws"]:
        """The rank correlation of each draw, over an image's own cells."""
        drops = (clean - deletions.scores).view(self.fills, -1).double()
        drops = drops.masked_fill(~drops.isfinite(), torch.nan)
        return spearman(sums[: drops.shape[1]].double().expand_as(drops), drops)
