"""Salience-guided faithfulness coefficient (SaCo): do parts of the image with more relevance have the larger effects?

    SaCo = Σ_{i<j} w_ij / Σ_{i<j} |s_i − s_j|,    w_ij = |s_i − s_j| · sign((s_i − s_j) (Δ_i − Δ_j))

The regions, in the order of the map A, are divided into K parts of equal size. s_i is the sum of A over part i, and
Δ_i = f(x) − f(x with part i replaced) its effect by itself. Each pair of parts counts by the difference of relevance that the map
claims, so that not only the order counts, but also how much is claimed. 1 means that every claim holds; a map that ranks at random
has expectation 0. Regions of equal relevance are in random order.

Where the fill is random, the value is the mean over draws, each with an order of ties of its own, and `error` its standard error.

Cost: 1 forward pass a map, and 1 for each part and draw.
Source: Wu, Kang, Tang, Hong & Yan, "On the faithfulness of vision transformer explanations", CVPR 2024.
Differs from the paper because a pair with equal effects, up to rounding, counts as neither right nor wrong, where the paper calls
it right, so that a network that reacts to nothing would prove every map; and because the effect is that on the explained output, by
default a logit, where the paper uses the probability.
"""

from typing import ClassVar, Self

import torch
from jaxtyping import Float
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.metrics.base import ModelMetric
from heatproof.metrics.faithfulness.cell_metric import ROUNDING
from heatproof.metrics.faithfulness.removal_metric import check_regions_and_draws, mean_and_error
from heatproof.metrics.scores import Scores
from heatproof.models.model import Model
from heatproof.models.outputs import Output
from heatproof.numerics.wide import wide_type
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.masked_scores import MaskedInputs, masked_scores
from heatproof.perturb.draws import Draws
from heatproof.perturb.fills.base import Fill
from heatproof.perturb.fills.channel_mean import ChannelMean
from heatproof.perturb.groups.base import Groups
from heatproof.perturb.groups.pixels import Pixels
from heatproof.perturb.masks.removal_order import region_places


class Saco(ModelMetric):
    """Whether parts of the image to which a map gives more relevance have larger effects, weighted by how much more it gives.

    groups  The regions that are ranked: by default every pixel.
    parts   The number of parts, K.
    fill    The values that replace a part.
    draws   The number of draws of the fill for each part; None means 10 for a random fill and 1, the only choice, for any other.
    output  The score that is measured; None means the one that the model explains.

    >>> import torch
    >>> from heatproof.metrics import Saco
    >>> from heatproof.models.loaders import Toy
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> Saco().score(model, images, None, images).values.shape, Saco().cost((1, 28, 28)).forward
    (torch.Size([2]), 11)
    """

    label: ClassVar[str] = "SaCo"
    title: ClassVar[str] = "salience-guided faithfulness coefficient"
    meaning: ClassVar[str] = "Whether parts of the image with more relevance have larger effects, by how much more."
    better: ClassVar[Direction] = Direction.HIGHER
    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    reduction: ClassVar[Reduction] = Reduction.SUM
    scale_invariant: ClassVar[bool] = True
    needs_bounds: ClassVar[bool] = True
    cite: ClassVar[str] = "Wu et al., CVPR 2024"

    groups: Groups = Pixels()
    parts: PositiveInt = Field(default=10, ge=2)
    fill: Fill = ChannelMean()
    draws: PositiveInt | None = None
    output: Output | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check_regions_and_draws(self.groups, self.fill, self.draws)
        return self

    @property
    def fills(self) -> int:
        """The number of draws of the fill for each part."""
        return self.draws or (10 if self.fill.stochastic else 1)

    @property
    def needs_class(self) -> bool:
        return self.output is not None and self.output.class_dependent

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(1 + self.parts * self.fills, clean=1)

    def measure(self, model: Model, images: Tensor, target: Tensor, maps: Tensor, seed: int) -> Scores:
        model = model if self.output is None else model.with_(output=self.output)
        draws = Draws.for_images(seed, images)
        groups = self.groups(images, model.bounds, draws)
        inputs = MaskedInputs(model, images, target, draws, self.fill, groups)
        sums = groups.sums(maps)
        relevance = sums / groups.sums(torch.ones_like(maps)).clamp(min=1)
        # [b, draws, m], and the part of each cell
        part = torch.stack([self._parts_of(relevance, groups.counts, draws, d) for d in range(self.fills)], 1)
        scores = torch.empty(len(images), self.fills * self.parts, dtype=wide_type(images.dtype), device=images.device)

        def present(image: list[int], k: list[int]) -> Tensor:
            return part[image, [each // self.parts for each in k]] != torch.tensor(k, device=part.device)[:, None] % self.parts

        for chunk in masked_scores(inputs, self.fills * self.parts, present, lambda _, k: [each // self.parts for each in k]):
            scores[chunk.image, chunk.k] = chunk.scores.to(scores)
        clean = inputs.clean().to(scores)
        drops = (clean[:, None] - scores).view(len(images), self.fills, self.parts)
        relevances = sums.new_zeros(*drops.shape[:2], self.parts + 1)
        relevances.scatter_add_(2, part, sums[:, None].expand(-1, self.fills, -1))
        coefficients = _coefficients(relevances[..., :-1], drops.double(), clean)
        value, error = mean_and_error(coefficients.to(scores))
        return Scores.of(value, error=error, missing="all parts have the same relevance, or the network answered NaN or infinity")

    def _parts_of(self, relevance: Tensor, counts: tuple[int, ...], draws: Draws, draw: int) -> Tensor:
        """The part of each region, from 0 for the most relevant ones; `parts` in columns beyond an image's own regions."""
        column = torch.arange(relevance.shape[1], device=relevance.device)
        sizes = torch.tensor(counts, device=relevance.device)[:, None]
        own = column < sizes
        places = region_places(relevance.masked_fill(~own, -torch.inf), draws, draw)
        return torch.where(own, places * self.parts // sizes, self.parts)


def _coefficients(
    relevances: Float[Tensor, "b draws k"], drops: Float[Tensor, "b draws k"], clean: Float[Tensor, " b"]
) -> Float[Tensor, "b draws"]:
    smallest = ROUNDING * torch.finfo(clean.dtype).eps * clean.abs().double()[:, None, None, None]
    claimed, found = (each[..., None] - each[..., None, :] for each in (relevances, drops))
    agreement = torch.where(found.abs() > smallest, found.sign() * claimed.sign(), 0.0)
    weights = claimed.abs()
    total = weights.sum((2, 3))
    value = (weights * agreement).sum((2, 3)) / total
    least = 1e-12 * relevances.abs().amax(2)
    return torch.where((total > least) & drops.isfinite().all(2), value.clamp(-1, 1), torch.nan)
