"""The base of metrics that summarise a removal curve: the score of an image as its regions are replaced in the order of a map.

A metric says how regions are ranked and shaped, in which orders they are replaced, by what, in how many steps, and what becomes of
the curve. The curve itself is computed by `passes/removal_curves.py`, for all of these metrics alike.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import prod
from typing import ClassVar, Literal, Self

import torch
from jaxtyping import Float
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor

from heatproof.core.errors import SettingsError
from heatproof.core.records import Reduction
from heatproof.metrics.base import ModelMetric
from heatproof.metrics.scores import Scores, masked
from heatproof.models.model import Model
from heatproof.models.outputs import Output
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.masked_scores import MaskedInputs
from heatproof.passes.removal_curves import RemovalSteps, regions_within, removal_scores
from heatproof.perturb.draws import Draws
from heatproof.perturb.fills.base import Fill
from heatproof.perturb.fills.zero import Zero
from heatproof.perturb.groups.base import Groups, RegularGroups
from heatproof.perturb.masks.removal_order import Order


@dataclass(frozen=True, eq=False)
class Curves:
    """The curves of some images, in the unit of the network's output.

    clean     The score of each clean image `[b]`.
    replaced  Its score when all of it is replaced `[b]`, which depends on no map.
    scores    The points of the curves `[b, orders, draws, points]`.
    shares    The regions treated at each point, as a share of those treated at the last one `[b, points]`.
    limits    The lower and the upper limit that the metric has computed for each draw `[b, draws, 2]`; None if it needs none.
    """

    clean: Float[Tensor, " b"]
    replaced: Float[Tensor, " b"]
    scores: Float[Tensor, "b orders draws points"]
    shares: Float[Tensor, "b points"]
    limits: Float[Tensor, "b draws 2"] | None = None

    def heights(self) -> Float[Tensor, "b orders draws"]:
        """The mean height of each curve: its area, by the trapezoidal rule, over shares from 0 to 1."""
        return torch.trapezoid(self.scores.double(), self.shares[:, None, None], dim=3).to(self.scores.dtype)

    def means(self) -> Float[Tensor, "b orders points"]:
        """The mean of each curve over the draws."""
        return self.scores.mean(2)


def mean_and_error(values: Float[Tensor, "b draws"]) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"] | None]:
    """The mean over the draws and its standard error, which is not known from one draw."""
    n = values.shape[1]
    return values.mean(1), values.std(1) / n**0.5 if n > 1 else None


def check_regions_and_draws(groups: Groups | None, fill: Fill, draws: int | None) -> None:
    """Refuse regions that a map of one channel cannot rank, and several draws of a fill that is the same at every draw.

    Raises:
        ValueError: They are refused.
    """
    if isinstance(groups, RegularGroups) and groups.channels == "each":
        raise ValueError(
            "groups: expected regions that hold all channels, since the channels of a map are summed, got channels='each'; "
            "write channels='together'"
        )
    if not fill.stochastic and (draws or 1) > 1:
        raise ValueError(f"draws: expected 1, since {fill.name} is the same at every draw, got {draws}; leave it out")


class RemovalMetric(ModelMetric, ABC):
    """The settings that metrics of removal curves share.

    groups   The regions; None means that every pixel is a region of its own. A region is ranked by the mean of the map over it.
    steps    The number of steps, as equal as whole regions allow; None means one for each region.
    share    The share of the regions that is treated by the last step.
    fill     The values that replace regions.
    draws    The number of draws of the fill for each image; None means 10 for a random fill and 1, the only choice, for any other.
    ranking  Whether regions are ranked by their relevance (signed) or by its magnitude (absolute).
    output   The score that is measured; None means the one that the model explains.
    """

    bounds: ClassVar[tuple[float, float]] = (-torch.inf, torch.inf)
    reduction: ClassVar[Reduction] = Reduction.SUM
    scale_invariant: ClassVar[bool] = True
    needs_bounds: ClassVar[bool] = True

    groups: Groups | None = None
    steps: PositiveInt | None = None
    share: float = Field(default=1.0, gt=0, le=1)
    fill: Fill = Zero()
    draws: PositiveInt | None = None
    ranking: Literal["signed", "absolute"] = "signed"
    output: Output | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check_regions_and_draws(self.groups, self.fill, self.draws)
        return self

    @property
    @abstractmethod
    def orders(self) -> tuple[Order, ...]:
        """The orders of the curves of one draw."""

    @property
    def insertion(self) -> bool:
        """Whether regions of the image are inserted into the fill, rather than replaced by it."""
        return False

    @abstractmethod
    def summary(self, curves: Curves) -> Scores:
        """The scores of some images, from their curves."""

    def limits(self, inputs: MaskedInputs, clean: Float[Tensor, " b"], steps: RemovalSteps, seed: int) -> Tensor | None:
        """The limits between which the summary lies, if it needs them; they depend on no map."""
        return None

    @property
    def fills(self) -> int:
        """The number of draws of the fill for each image."""
        return self.draws or (10 if self.fill.stochastic else 1)

    @property
    def needs_class(self) -> bool:
        return self.output is not None and self.output.class_dependent

    def n_steps(self, image_shape: ImageShape) -> int:
        """The number of steps of a curve of one image."""
        return self.steps or regions_within(self.share, self._regions(image_shape))

    def check_fits(self, model: Model, image_shape: ImageShape) -> None:
        most = regions_within(self.share, self._regions(image_shape))
        exact = self.groups is None or isinstance(self.groups, RegularGroups)
        if exact and self.n_steps(image_shape) > most:
            kind = "pixels" if self.groups is None else "regions"
            which = f"{kind} that are replaced" if self.share < 1 else kind
            raise SettingsError(
                f"{self.name}: steps: expected at most as many as {which}, {most}, got {self.steps}; take fewer steps"
            )

    def cost(self, image_shape: ImageShape) -> PassCount:
        whole = self.share == 1
        points = self.n_steps(image_shape) + (self.insertion and not whole)
        return PassCount(1 + (not whole and not self.insertion) + points * len(self.orders) * self.fills, clean=1)

    def measure(self, model: Model, images: Tensor, target: Tensor, maps: Tensor, seed: int) -> Scores:
        inputs, relevance, steps = self.prepared(model, images, target, maps, seed)
        clean, insertion = inputs.clean(), self.insertion
        scores = removal_scores(inputs, clean, relevance, steps, self.orders, draws=self.fills, insertion=insertion)
        replaced = scores[:, 0, :, 0 if insertion else -1].mean(1) if insertion or self.share == 1 else inputs.absent()
        limits = self.limits(inputs, clean, steps, seed)
        curves = Curves(clean.to(scores), replaced.to(scores), scores, steps.shares().to(scores.device), limits)
        return masked(
            self.summary(curves),
            torch.tensor(steps.sizes, device=scores.device) == 1,
            "the image is one region, which leaves nothing to rank",
        )

    def prepared(
        self, model: Model, images: Tensor, target: Tensor, maps: Tensor, seed: int
    ) -> tuple[MaskedInputs, Float[Tensor, "b n"], RemovalSteps]:
        """The images with regions that may be absent, the relevance of each region, and how many are treated at each point."""
        model = model if self.output is None else model.with_(output=self.output)
        image_shape = tuple(images.shape[1:])
        self.check_fits(model, image_shape)
        draws = Draws.for_images(seed, images)
        groups = None if self.groups is None else self.groups(images, model.bounds, draws)
        inputs = MaskedInputs(model, images, target, draws, self.fill, groups)
        maps = maps.abs() if self.ranking == "absolute" else maps
        if groups is None:
            sizes, relevance = (self._regions(image_shape),) * len(images), maps.flatten(1)
        else:
            sizes, relevance = groups.counts, groups.sums(maps) / groups.sums(torch.ones_like(maps)).clamp(min=1)
        return inputs, relevance, RemovalSteps.of(sizes, self.n_steps(image_shape), self.share)

    def _regions(self, image_shape: ImageShape) -> int:
        """The number of regions of one image; of regions that depend on its content, about how many."""
        return self.groups.count(image_shape) if self.groups is not None else prod(image_shape[1:] or image_shape)
