"""The base of metrics that compare a map with the effects of replacing cells that no map has chosen.

    single cells     Δ = f(x) − f(x with cell j replaced by draw p of the fill), for every j and p
    random subsets   Δ = f(x) − f(x with the cells S_k replaced by draw k of the fill), S_k a random subset of a share of the cells

Which cells are replaced depends on the image and the seed alone, so that the passes are the same for every map. They are run once
for all methods, and once for all metrics with the same cells, fill and subsets (`passes/shared_work.py`).
"""

from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from pydantic import model_validator
from torch import Tensor

from heatproof.core.records import Reduction
from heatproof.core.settings import content_hash
from heatproof.metrics.base import ModelMetric
from heatproof.metrics.faithfulness.removal_metric import check_regions_and_draws
from heatproof.models.model import Model
from heatproof.models.outputs import Output
from heatproof.numerics.similarity import Measure, pearson
from heatproof.numerics.wide import wide_type
from heatproof.passes.box_scores import box_scores, takes_boxes
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.masked_scores import MaskedInputs, masked_scores
from heatproof.passes.removal_curves import regions_within
from heatproof.passes.shared_work import shared_work
from heatproof.perturb.draws import Draws
from heatproof.perturb.fills.base import Fill
from heatproof.perturb.fills.zero import Zero
from heatproof.perturb.groups.base import Groups
from heatproof.perturb.groups.feature_groups import FeatureGroups
from heatproof.perturb.groups.regular_grid import RegularGrid


@dataclass(frozen=True, eq=False)
class Deletions:
    """The deletions of one image.

    absent  The cells that each deletion replaces `[n, m]`.
    scores  The score of the image after each deletion `[n]`.
    draws   The number of the fill's draw for each deletion.
    """

    absent: Bool[Tensor, "n m"]
    scores: Float[Tensor, " n"]
    draws: Sequence[int]

    def sums(self, cells: Float[Tensor, " most"]) -> Float[Tensor, " n"]:
        """The sum over the cells that each deletion replaces, of one number for each cell; columns beyond m do not count."""
        return self.absent.to(cells) @ cells[: self.absent.shape[1]]


class CellMetric(ModelMetric, ABC):
    """The settings that metrics of map-independent deletions share.

    groups  The cells.
    fill    The values that replace cells.
    output  The score that is measured; None means the one that the model explains.
    """

    reduction: ClassVar[Reduction] = Reduction.SUM
    scale_invariant: ClassVar[bool] = True
    needs_bounds: ClassVar[bool] = True

    groups: Groups = RegularGrid(cells_per_axis=7)
    fill: Fill = Zero()
    output: Output | None = None

    @model_validator(mode="after")
    def _whole_places(self) -> Self:
        check_regions_and_draws(self.groups, self.fill, None)
        return self

    @property
    def needs_class(self) -> bool:
        return self.output is not None and self.output.class_dependent

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(1, clean=1)

    def inputs(self, model: Model, images: Tensor, target: Tensor, seed: int) -> tuple[MaskedInputs, FeatureGroups]:
        """The images with cells that may be absent, and these cells."""
        model = model if self.output is None else model.with_(output=self.output)
        draws = Draws.for_images(seed, images)
        groups = self.groups(images, model.bounds, draws)
        return MaskedInputs(model, images, target, draws, self.fill, groups), groups

    def key_of_singles(self, draws: int) -> str:
        """The key of the deletions of single cells: metrics with equal keys share them."""
        return self._key("single cells", draws)

    def key_of_subsets(self, share: float, samples: int) -> str:
        """The key of the deletions of random subsets: metrics with equal keys share them."""
        return self._key("subsets", share, samples)

    def singles(self, inputs: MaskedInputs, groups: FeatureGroups, draws: int, seed: int) -> list[Deletions]:
        """Each cell of an image replaced by each draw of the fill, the cells of the first draw first.

        Cost: one forward pass for each, of which only the part that the cell affects is computed where that is less work.
        """
        key = self.key_of_singles(draws), seed if self.fill.stochastic else 0
        scores = shared_work(inputs.model, inputs.images, inputs.target, key, lambda: _scores_without(inputs, groups, draws))
        return [
            Deletions(
                torch.eye(m, dtype=torch.bool, device=scores.device).repeat(draws, 1),
                left[:, :m].flatten(),
                [d for d in range(draws) for _ in range(m)],
            )
            for left, m in zip(scores, groups.counts, strict=True)
        ]

    def subsets(self, inputs: MaskedInputs, groups: FeatureGroups, share: float, samples: int, seed: int) -> list[Deletions]:
        """Random subsets of an image's cells replaced, each by a draw of the fill of its own. Cost: one forward pass for each."""
        key = self.key_of_subsets(share, samples), seed
        absent = [
            _random_subsets(inputs.draws.rows([i]).on_cpu(), m, share, samples).to(inputs.images.device)
            for i, m in enumerate(groups.counts)
        ]
        scores = shared_work(inputs.model, inputs.images, inputs.target, key, lambda: _scores_of_subsets(inputs, groups, absent))
        return [Deletions(each, left, range(samples)) for each, left in zip(absent, scores, strict=True)]

    def _key(self, *what: object) -> str:
        output = None if self.output is None else self.output.to_dict()
        return content_hash([*map(str, what), self.groups.to_dict(), self.fill.to_dict(), output])


def _scores_without(inputs: MaskedInputs, groups: FeatureGroups, draws: int) -> Float[Tensor, "b draws m"]:
    """The score of each image with one cell replaced by one draw of the fill; NaN in columns beyond an image's own cells."""
    if groups.boxes is not None and takes_boxes(inputs):
        return box_scores(inputs, groups.boxes, range(draws)).transpose(0, 1)
    b, m = len(inputs.images), groups.most
    scores = torch.full((b, m * draws), torch.nan, dtype=wide_type(inputs.images.dtype), device=inputs.images.device)

    def all_but_one(_: list[int], k: list[int]) -> Tensor:
        return torch.arange(m, device=scores.device) != torch.tensor(k, device=scores.device)[:, None] // draws

    counts = [n * draws for n in groups.counts]
    for chunk in masked_scores(inputs, counts, all_but_one, lambda _, k: [each % draws for each in k]):
        scores[chunk.image, chunk.k] = chunk.scores.to(scores)
    return scores.view(b, m, draws).transpose(1, 2)


def _scores_of_subsets(inputs: MaskedInputs, groups: FeatureGroups, absent: Sequence[Tensor]) -> Float[Tensor, "b n"]:
    """The score of each image with each of its subsets replaced, by the draw of the fill of the same number."""
    samples = len(absent[0])
    padded = [F.pad(each, (0, groups.most - each.shape[1])) for each in absent]
    scores = torch.empty(len(absent), samples, dtype=wide_type(inputs.images.dtype), device=inputs.images.device)

    def present(image: list[int], k: list[int]) -> Tensor:
        return ~torch.stack([padded[i][j] for i, j in zip(image, k, strict=True)])

    for chunk in masked_scores(inputs, samples, present, lambda _, k: k):
        scores[chunk.image, chunk.k] = chunk.scores.to(scores)
    return scores


def _random_subsets(draws: Draws, m: int, share: float, samples: int) -> Bool[Tensor, "n m"]:
    """Subsets of equal size of the cells of one image, each as likely as any other."""
    order = draws.uniform(f"subsets of {share}", 0, (samples, m))[0].argsort(1)
    first = torch.arange(m).expand(samples, m) < regions_within(share, m)
    return torch.empty_like(first).scatter_(1, order, first)


ROUNDING = 8
"""The number of units in the last place of a score below which differences of drops are rounding."""


def effect_correlation(
    sums: Float[Tensor, " n"], drops: Float[Tensor, " n"], clean: Float[Tensor, ""], measure: Measure = pearson
) -> Float[Tensor, ""]:
    """The correlation of a map's sums with drops of the score; NaN where either is constant up to rounding, or not finite.

    >>> import torch
    >>> from heatproof.metrics.faithfulness.cell_metric import effect_correlation
    >>> sums, drops = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([0.1, 0.2, 0.4])
    >>> effect_correlation(sums, drops, torch.tensor(7.0)), effect_correlation(sums, drops * 1e-9, torch.tensor(7.0))
    (tensor(1.), tensor(nan))
    """
    x, y = sums.double(), drops.double()
    smallest = ROUNDING * torch.finfo(clean.dtype).eps * torch.maximum(clean.abs().double(), y.abs().max())
    constant = (x.max() - x.min() <= 1e-12 * x.abs().max()) | (y.max() - y.min() <= smallest)
    rho = measure(x[None], y[None])[0].to(clean)
    return torch.where(constant | ~(x.isfinite() & y.isfinite()).all(), torch.nan, rho)
