"""Repeatability: the correlation of a map with itself under another seed, and the samples that would make it reliable.

    r = corr(A_seed, A_seed+1),    factor = ρ (1 − r) / (r (1 − ρ))

By Spearman–Brown, a map averaged over `factor` times as many samples correlates ρ (0.9) with its own repetition. A map that does
not depend on the seed has r = 1 and factor 0. r says nothing about being right: a constant bias repeats perfectly.

Cost: one further map. Source: Spearman 1910, Brown 1910 (prophecy formula), applied to maps.
"""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.metrics.base import Explain, ExplainerMetric, Scores, without_broken
from heatproof.models.model import Model
from heatproof.numerics.reduce import reduce
from heatproof.numerics.similarity import pearson, spearman


class Repeatability(ExplainerMetric):
    """Correlation between maps of two seeds.

    similarity   correlation of values or of ranks.
    reliability  correlation ρ that `samples_factor` aims at.
    """

    label: ClassVar[str] = "repeatability"
    meaning: ClassVar[str] = "Correlation of the map with itself when only the random seed changes; 1 = nothing left to chance."
    better: ClassVar[Direction] = Direction.HIGHER
    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    reduction: ClassVar[Reduction] = Reduction.SUM
    component_meanings: ClassVar[dict[str, str]] = {
        "samples_factor": "times the present samples that the aimed-at correlation needs"
    }
    cite: ClassVar[str] = "Spearman 1910; Brown 1910"

    similarity: Literal["pearson", "spearman"] = "pearson"
    reliability: float = Field(default=0.9, gt=0, lt=1)

    def explanations(self, stochastic: bool = True) -> int:
        return int(stochastic)

    def measure(self, model: Model, images: Tensor, target: Tensor, explain: Explain, seed: int) -> Scores:
        once, again = (reduce(explain(images, target, s).values, self.reduction) for s in (seed, seed + 1))
        compare = {"pearson": pearson, "spearman": spearman}[self.similarity]
        r = compare(once, again)
        rho = self.reliability
        factor = torch.where(r > 0, rho * (1 - r) / (r * (1 - rho)), torch.nan)
        scores = Scores.of(r, components={"samples_factor": factor}, missing="a constant map has no correlation")
        return without_broken(scores, once, again)
