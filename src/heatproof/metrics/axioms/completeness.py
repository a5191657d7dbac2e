"""Completeness: by how much a map fails to sum to what its method says it sums to.

    gap = |Σ_i A_i − claim| / |claim|,    claim = f(x) − f(baseline) for path methods

A number, never a boolean: a quadrature or a sample always leaves a gap. With `baseline=None` each method is held to its own claim
(integrated gradients: its own baselines; expected gradients: the mean over its baselines; SmoothTaylor: f(x) − mean f(roots), which
holds to first order only); a method that claims nothing scores NaN. With a baseline given, every map is held to f(x) − f(baseline).

Cost: no rows for the own claim; 2 forward rows a map otherwise. Source: Sundararajan, Taly & Yan, ICML 2017, section 3.
"""

from typing import ClassVar, Self

import torch
from pydantic import model_validator
from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.methods.attribution import relative_gap
from heatproof.metrics.base import Explain, ExplainerMetric, Scores, without_broken
from heatproof.models.model import Model
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.forward import mean_fill_score, scores
from heatproof.perturb.draws import Draws
from heatproof.perturb.fills.base import Fill


class Completeness(ExplainerMetric):
    """Relative completeness gap.

    baseline  None = each method's own claim; or a fill that is not random, the same for all methods.
    """

    label: ClassVar[str] = "completeness gap"
    meaning: ClassVar[str] = (
        "Share of the explained difference in output that the map's sum misses; only for methods that promise a sum."
    )
    better: ClassVar[Direction] = Direction.LOWER
    bounds: ClassVar[tuple[float, float]] = (0.0, torch.inf)
    reduction: ClassVar[Reduction] = Reduction.NONE
    cite: ClassVar[str] = "Sundararajan, Taly & Yan, ICML 2017"

    baseline: Fill | None = None

    @model_validator(mode="after")
    def _not_random(self) -> Self:
        if self.baseline is not None and self.baseline.stochastic:
            raise ValueError(f"baseline: expected None or a fill that is not random, got {self.baseline.name}")
        return self

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount() if self.baseline is None else PassCount(2, clean=1)

    def measure(self, model: Model, images: Tensor, target: Tensor, explain: Explain, seed: int) -> Scores:
        found = explain(images, target, seed)
        if self.baseline is None:
            gaps = Scores.of(relative_gap(found.values, found.claim), missing="the method claims no sum, or claims zero")
            return without_broken(gaps, found.values)
        draws = Draws.for_images(seed, images)
        claim = scores(model, images, target) - mean_fill_score(model, images, target, draws, self.baseline, 1)
        gaps = Scores.of(relative_gap(found.values, claim), missing="the output is the same at the image and at the baseline")
        return without_broken(gaps, found.values)
