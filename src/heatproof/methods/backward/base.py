"""Methods that change what flows backward: one pass of a composite's rules."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from heatproof.methods.base import ZERO, Case, Explanation, Method
from heatproof.models.model import Model
from heatproof.numerics.finite import finite
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.memory import in_chunks
from heatproof.passes.patterns import FittedPatterns, Patterns
from heatproof.passes.relevance import relevance
from heatproof.relevance.composites import Composite
from heatproof.relevance.composites.back_projection import BackProjection
from heatproof.relevance.interceptor import Leak
from heatproof.relevance.rules import PatternRule


class BackwardMethod(Method, ABC):
    """The map is what a composite brings from the score down to the image."""

    @abstractmethod
    def rules(self, model: Model) -> Composite:
        """Which rule where, for this network."""

    def explain(self, case: Case) -> Explanation:
        rules = self.rules(case.model)

        def compute(rows: range) -> tuple[Tensor, Tensor]:
            part = slice(rows.start, rows.stop)
            return relevance(case.model, case.images[part], case.target[part], rules)

        found = [made for _, made in in_chunks(case.model, case.images, len(case), compute, "gradient")]
        return self.conclude(torch.cat([values for values, _ in found]), torch.cat([score for _, score in found]))

    def leaks(self, model: Model, images: Tensor, target: Tensor) -> list[Leak]:
        """Relevance above and below each operation that has a rule, from the output down, for one batch."""
        found: list[Leak] = []
        relevance(model, images, target, self.rules(model), found)
        return found

    def conclude(self, values: Tensor, scores: Tensor) -> Explanation:
        """Relevance claims the score; a gradient claims nothing."""
        return Explanation.plain(values)

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(2, 1)


class PatternMethod(BackwardMethod, ABC):
    """A backward method whose rule flows through patterns, in every layer with weights.

    patterns  where they come from.
    project   whether what reaches the input of a layer is scaled to [−1, 1], sample by sample.
    """

    rule: ClassVar[type[PatternRule]]

    patterns: Patterns = FittedPatterns()
    project: bool = False

    def rules(self, model: Model) -> Composite:
        with torch.inference_mode(False):  # autograd saves what the rule copies
            rule = self.rule(patterns=self.patterns.of(model), project=self.project)
        return BackProjection(convolution=rule, dense=rule)

    def conclude(self, values: Tensor, scores: Tensor) -> Explanation:
        """Claim nothing; a map that is zero or has overflowed says why."""
        return Explanation.plain(values, notes=tuple(_said(row) for row in values))


def _said(values: Tensor) -> str:
    if not bool(finite(values[None])):
        return "signals grow from layer to layer: set `project`, or fit patterns with the linear estimator"
    if not bool(values.any()):
        return f"{ZERO}: the output does not depend on the input, or was never active in the images that patterns were fitted to"
    return ""
