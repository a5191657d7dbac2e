"""The base classes of backward methods, whose map is one backward pass by the rules of a composite."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from heatproof.methods.base import Case, Explanation, Method
from heatproof.models.model import Model
from heatproof.numerics.finite import finite
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.passes.inputs import check_images
from heatproof.passes.memory import in_chunks
from heatproof.passes.patterns import FittedPatterns, Patterns
from heatproof.passes.relevance import relevance
from heatproof.relevance.composites import Composite
from heatproof.relevance.composites.back_projection import BackProjection
from heatproof.relevance.interceptor import Leak
from heatproof.relevance.rules import PatternRule


class BackwardMethod(Method, ABC):
    """A method whose map is the result of one backward pass from the score to the image, by the rules of a composite."""

    zero_because: ClassVar[str] = (
        "nothing reaches the input by the rules of the method: the score is zero, or biases, inactive units, rounding or a "
        "cut graph take all of it"
    )

    @abstractmethod
    def rules(self, model: Model) -> Composite:
        """The composite for this network: the rule of each kind of operation."""

    def explain(self, case: Case) -> Explanation:
        rules = self.rules(case.model)

        def compute(rows: range) -> tuple[Tensor, Tensor]:
            part = slice(rows.start, rows.stop)
            return relevance(case.model, case.images[part], case.target[part], rules)

        chunks = [chunk for _, chunk in in_chunks(case.model, case.images, len(case), compute, "gradient")]
        return self.conclude(torch.cat([values for values, _ in chunks]), torch.cat([scores for _, scores in chunks]))

    def leaks(self, model: Model, images: Tensor, target: Tensor) -> list[Leak]:
        """The relevance above and below each operation that has a rule or holds constants, for one batch, from the explained score
        down. What they lose adds up to the scores minus the map.
        """
        check_images(model, images)
        leaks: list[Leak] = []
        relevance(model, images, target, self.rules(model), leaks)
        return leaks

    def conclude(self, values: Tensor, scores: Tensor) -> Explanation:
        """The explanation made of the maps and the scores: by default without an expected sum, as for gradients."""
        return Explanation.plain(values)

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount(2, 1)


class PatternMethod(BackwardMethod, ABC):
    """A backward method whose rule propagates through patterns, in every layer with weights.

    patterns  where the patterns come from: tensors from `fit_patterns(model, images)`, or a data set that they are fitted to.
    project   whether the signal at the input of each layer is scaled to [−1, 1], image by image.
    """

    rule: ClassVar[type[PatternRule]]
    zero_because: ClassVar[str] = (
        "no signal reaches the input: the output does not depend on it, or units on the way are inactive here or were never active "
        "in the images that patterns were fitted to"
    )

    patterns: Patterns = FittedPatterns()
    project: bool = False

    def rules(self, model: Model) -> Composite:
        with torch.inference_mode(False):  # autograd saves the tensors that the rule copies
            rule = self.rule(patterns=self.patterns.of(model), project=self.project)
        return BackProjection(convolution=rule, dense=rule)

    def conclude(self, values: Tensor, scores: Tensor) -> Explanation:
        """The explanation has no expected sum; the note of a map that is not finite states a remedy."""
        return Explanation.plain(values, notes=tuple(self._signal_note(row) for row in values))

    def _signal_note(self, values: Tensor) -> str:
        """Why a map made of patterns is not finite; empty if it is, or if its signal was projected."""
        if self.project or bool(finite(values[None])):
            return ""
        return "signals may grow from layer to layer; set `project`, or fit patterns with the linear estimator"
