"""Completeness gap: the relative difference between the sum of a map and the sum that its method promises.

    gap = |Σ_i A_i − S| / |S|

A_i are the values of the map, and S is the expected sum, for example f(x) − f(baseline) for integrated gradients. With
`baseline=None`, each method is compared with its own expected sum: f(x) − f(baseline) with the method's own baseline for
integrated gradients, the mean over its baselines for expected gradients, and f(x) minus the mean of f over its roots for
SmoothTaylor, where the equation holds to first order only. A method that states no expected sum scores NaN. With a baseline
given, every map is compared with f(x) − f(baseline). The gap is a number and not a yes or no, because a quadrature or a sample
always leaves a gap.

Cost: no passes if the method's own expected sum is used; otherwise 2 forward passes per map.
Source: Sundararajan, Taly & Yan, "Axiomatic attribution for deep networks", ICML 2017, section 3.
"""

from typing import ClassVar, Self

import torch
from pydantic import model_validator
from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.methods.attribution import relative_gap
from heatproof.metrics.base import ExplainerMetric
from heatproof.metrics.explain import Explain
from heatproof.metrics.scores import Scores, without_broken
from heatproof.models.model import Model
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.forward import mean_fill_score, scores
from heatproof.perturb.draws import Draws
from heatproof.perturb.fills.base import Fill


class Completeness(ExplainerMetric):
    """The relative completeness gap of a map.

    baseline  None compares each map with the expected sum of its own method. A fill that is not random compares the maps of all
              methods with f(x) − f(baseline).

    >>> import torch
    >>> from heatproof.methods import IntegratedGradients
    >>> from heatproof.metrics import Completeness, score
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> scores = score(Completeness(), model, images, IntegratedGradients())
    >>> scores.values < 0.05
    tensor([True, True])
    """

    label: ClassVar[str] = "completeness gap"
    meaning: ClassVar[str] = "Relative difference between the sum of the map and the sum that its method promises; 0 = complete."
    better: ClassVar[Direction] = Direction.LOWER
    bounds: ClassVar[tuple[float, float]] = (0.0, torch.inf)
    reduction: ClassVar[Reduction] = Reduction.NONE
    needs_images: ClassVar[bool] = False
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
        attribution = explain(images, target, seed)
        if self.baseline is None:
            gaps = Scores.of(
                relative_gap(attribution.values, attribution.expected_sum),
                missing="the method states no expected sum, or the sum is zero",
            )
            return without_broken(gaps, attribution.values)
        draws = Draws.for_images(seed, images)
        expected_sum = scores(model, images, target) - mean_fill_score(model, images, target, draws, self.baseline, 1)
        gaps = Scores.of(
            relative_gap(attribution.values, expected_sum),
            missing="the output is the same at the image and at the baseline, or NaN",
        )
        return without_broken(gaps, attribution.values)
