"""Repeatability: the correlation of a map with itself under another seed, and the number of samples that would make it reliable.

    r = corr(A_seed, A_(seed+1)),    samples_factor = ρ (1 − r) / (r (1 − ρ))

A_seed is the map for a seed, summed over channels. By the formula of Spearman and Brown, a map that is averaged over
`samples_factor` times as many samples has the correlation ρ (0.9 by default) with its own repetition. A map that does not depend on
the seed has r = 1 and a factor of 0. The correlation does not show whether a map is right: a constant bias repeats perfectly.

Cost: 1 further map; none is computed in an evaluation if the method draws no random numbers.
Source: Spearman, "Correlation calculated from faulty data", 1910; Brown, "Some experimental results in the correlation of mental
abilities", 1910 (prophecy formula); here applied to maps.
"""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from heatproof.core.records import Direction, Reduction
from heatproof.metrics.base import ExplainerMetric
from heatproof.metrics.explain import Explain
from heatproof.metrics.scores import Scores, without_broken
from heatproof.models.model import Model
from heatproof.numerics.reduce import reduce
from heatproof.numerics.similarity import pearson, spearman


class Repeatability(ExplainerMetric):
    """Correlation between the maps of two seeds.

    similarity   Whether values (pearson) or ranks (spearman) are correlated.
    reliability  The correlation ρ that the component `samples_factor` is computed for (Spearman, 1910; Brown, 1910).

    >>> import torch
    >>> from heatproof.methods import SmoothGrad
    >>> from heatproof.metrics import Repeatability, score
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> scores = score(Repeatability(), model, images, SmoothGrad(samples=50))
    >>> scores.values > 0.8
    tensor([True, True])
    """

    label: ClassVar[str] = "repeatability"
    meaning: ClassVar[str] = "Correlation of the map with itself when only the random seed changes; 1 = the seed does not matter."
    better: ClassVar[Direction] = Direction.HIGHER
    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    reduction: ClassVar[Reduction] = Reduction.SUM
    component_meanings: ClassVar[dict[str, str]] = {
        "samples_factor": "factor by which the number of samples must grow to reach the chosen correlation"
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
