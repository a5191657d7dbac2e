"""Infidelity: the share of the score's changes that a map, at its best scale, does not predict.

    value = min_{β ≥ 0} E_I (β I·A − Δ_I)² / E_I Δ_I²,    Δ_I = f(x) − f(x − I)

A is the map, f the explained score, x the image, I a perturbation, and E_I the mean over perturbations:

    cells     I = x − fill on one cell, and zero elsewhere; every cell in turn
    subsets   the same on a random subset of the cells
    noise     I is normal noise on every value

A map of *sensitivities*, such as a gradient, predicts Σ_i I_i A_i. A map of *contributions*, such as integrated gradients, predicts
the sum of A over the values that are replaced, and nothing for noise. Which of the two a map is must be said: `maps`.
0 means that every change is predicted, and 1 that nothing is, as by a map of zeros or one that predicts the wrong signs. A random
map has an expectation a little below 1: half of them predict the wrong signs, and the others are right by chance alone.

Cost: 1 forward pass a map; for all methods together 1 for each perturbation. Those of cells are shared with `single_deletion`, and
those of subsets with `faithfulness_correlation` and `sensitivity_n`, where settings agree.
Source: Yeh, Hsieh, Suggala, Inouye & Ravikumar, "On the (in)fidelity and sensitivity of explanations", NeurIPS 2019.
Differs from the paper because it is relative to E Δ², so that images can be compared, and because the scale is never negative: a
map of the wrong sign explains nothing.
"""

from collections.abc import Callable, Sequence
from typing import ClassVar, Literal, Self

import torch
from jaxtyping import Float
from pydantic import Field, PositiveFloat, PositiveInt, model_validator
from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.metrics.faithfulness.cell_metric import ROUNDING, CellMetric, Deletions
from heatproof.metrics.scores import Scores
from heatproof.models.model import Model
from heatproof.numerics.places import as_places
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.forward import variant_scores
from heatproof.passes.masked_scores import MaskedInputs
from heatproof.passes.shared_work import shared_work
from heatproof.passes.variants import variants_in_chunks
from heatproof.perturb.groups.feature_groups import FeatureGroups

Perturbation = Callable[[list[int], list[int]], Tensor]
"""What is subtracted from the images of a chunk: `perturbation(image, k)` is perturbation `k[r]` of image `image[r]`."""


class Infidelity(CellMetric):
    """Share of the score's changes under perturbations that the best scaled map does not predict.

    groups        The cells: by default a grid of 7 × 7.
    perturbation  What is changed: single cells (cells), random subsets of the cells (subsets), or every value by noise (noise).
    maps          What the maps are: contributions, which are summed, or sensitivities, which are multiplied by the perturbation.
    share         The size of random subsets, as a share of the cells.
    samples       The number of random subsets or of draws of noise; of the fill for each cell, one draw is made.
    sigma         The standard deviation of the noise, as a share of the range of the bounds.
    fill          The values that replace cells.
    output        The score that is measured; None means the one that the model explains.

    >>> import torch
    >>> from heatproof.metrics import Infidelity
    >>> from heatproof.models.loaders import Toy
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> scores = Infidelity(perturbation="cells").score(model, images, None, images)
    >>> ((scores.values >= 0) & (scores.values <= 1)).all()
    tensor(True)
    """

    label: ClassVar[str] = "infidelity"
    meaning: ClassVar[str] = "Share of the score's changes under perturbations that the best scaled map does not predict."
    better: ClassVar[Direction] = Direction.LOWER
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    reduction: ClassVar[Reduction] = Reduction.NONE
    cite: ClassVar[str] = "Yeh et al., NeurIPS 2019"

    perturbation: Literal["cells", "subsets", "noise"] = "subsets"
    maps: Literal["contributions", "sensitivities"] = "contributions"
    share: float = Field(default=0.25, gt=0, lt=1)
    samples: PositiveInt = Field(default=50, ge=2)
    sigma: PositiveFloat = 0.1

    @model_validator(mode="after")
    def _noise_is_of_sensitivities(self) -> Self:
        if self.perturbation == "noise" and self.maps == "contributions":
            raise ValueError(
                "maps: expected sensitivities with perturbation noise, which replaces no value whose contribution could be "
                "summed, got contributions; take perturbation subsets, or say that the maps are sensitivities"
            )
        return self

    def common_cost(self, image_shape: ImageShape) -> dict[str, PassCount]:
        return {self._common_key: PassCount(self.groups.count(image_shape) if self.perturbation == "cells" else self.samples)}

    @property
    def _common_key(self) -> str:
        if self.perturbation == "noise":
            return f"noise of {self.sigma} {self.samples} {self.output}"
        return self.key_of_singles(1) if self.perturbation == "cells" else self.key_of_subsets(self.share, self.samples)

    def measure(self, model: Model, images: Tensor, target: Tensor, maps: Tensor, seed: int) -> Scores:
        inputs, groups = self.inputs(model, images, target, seed)
        clean = inputs.clean()
        if self.perturbation == "noise":
            left = shared_work(inputs.model, images, target, (self._common_key, seed), lambda: self._noisy_scores(inputs))
            drops: Sequence[Tensor] = (clean[:, None] - left).unbind()
            predicted = self._of_sensitivities(inputs, maps, [self.samples] * len(images), self._noise_of(inputs))
        else:
            deletions = (
                self.singles(inputs, groups, 1, seed)
                if self.perturbation == "cells"
                else self.subsets(inputs, groups, self.share, self.samples, seed)
            )
            drops = [f - each.scores for f, each in zip(clean, deletions, strict=True)]
            if self.maps == "contributions":
                predicted = [each.sums(own) for each, own in zip(deletions, groups.sums(maps), strict=True)]
            else:
                counts = [len(each.draws) for each in deletions]
                predicted = self._of_sensitivities(inputs, maps, counts, _replaced(inputs, groups, deletions))
        value = torch.stack([_unpredicted(*each) for each in zip(predicted, drops, clean, strict=True)])
        return Scores.of(value, missing="no perturbation changes the score, or the network answered NaN or infinity")

    def _noise_of(self, inputs: MaskedInputs) -> Perturbation:
        lower, upper = inputs.model.bounds.like(inputs.images)
        size = self.sigma * (upper - lower)

        def noise(image: list[int], k: list[int]) -> Tensor:
            return size * inputs.draws.rows(image).normal("infidelity", k, inputs.images.shape[1:])

        return noise

    def _noisy_scores(self, inputs: MaskedInputs) -> Float[Tensor, "b n"]:
        noise = self._noise_of(inputs)

        def changed(image: list[int], k: list[int]) -> Tensor:
            return inputs.images[image] - noise(image, k)

        return variant_scores(inputs.model, inputs.images, inputs.target, self.samples, changed)

    @staticmethod
    def _of_sensitivities(
        inputs: MaskedInputs, maps: Tensor, counts: Sequence[int], perturbation: Perturbation
    ) -> list[Float[Tensor, " n"]]:
        """Σ_i I_i A_i of each perturbation of each image; a map of one channel holds for all channels."""
        result = [maps.new_empty(n, dtype=torch.float64) for n in counts]

        def products(image: list[int], k: list[int]) -> Tensor:
            changes = as_places(perturbation(image, k)).double()
            return (changes * maps[image].double()).flatten(1).sum(1)

        for image, k, found in variants_in_chunks(inputs.model, inputs.images, counts, products, inputs.kind):
            for i, j, value in zip(image, k, found, strict=True):
                result[i][j] = value
        return result


def _replaced(inputs: MaskedInputs, groups: FeatureGroups, deletions: Sequence[Deletions]) -> Perturbation:
    """The image minus the fill where a deletion replaces it, and zero elsewhere."""

    def difference(image: list[int], k: list[int]) -> Tensor:
        present = torch.zeros(len(image), groups.most, dtype=torch.bool, device=inputs.images.device)
        for row, i, j in zip(present, image, k, strict=True):
            row[: groups.counts[i]] = ~deletions[i].absent[j]
        draws = [deletions[i].draws[j] for i, j in zip(image, k, strict=True)]
        return inputs.images[image] - inputs.filled(image, groups.present(image, present), draws)

    return difference


def _unpredicted(predicted: Float[Tensor, " n"], drops: Float[Tensor, " n"], clean: Float[Tensor, ""]) -> Float[Tensor, ""]:
    u, d = predicted.double(), drops.double()
    size = u.abs().max()
    u = u / torch.where(size > 0, size, 1.0)  # squares neither overflow nor vanish
    product, total = (u * d).sum().clamp(min=0), d.square().sum()
    explained = torch.where(size > 0, product.square() / (u.square().sum() * total), 0.0)
    value = (1 - explained).clamp(0, 1)
    smallest = ROUNDING * torch.finfo(clean.dtype).eps * clean.abs().double()
    return torch.where((d.abs().max() > smallest) & value.isfinite(), value, torch.nan).to(clean)
