"""Methods that change what flows backward: one pass of a composite's rules."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from heatproof.methods.base import Case, Explanation, Method
from heatproof.models.model import Model
from heatproof.passes.counting import PassCount
from heatproof.passes.memory import in_chunks
from heatproof.passes.relevance import relevance
from heatproof.surgery.composites import Composite
from heatproof.surgery.intercept import Leak


class BackwardMethod(Method, ABC):
    """The map is what a composite brings from the score down to the image."""

    @property
    @abstractmethod
    def rules(self) -> Composite:
        """Which rule where."""

    def explain(self, case: Case) -> Explanation:
        def compute(rows: range) -> tuple[Tensor, Tensor]:
            part = slice(rows.start, rows.stop)
            return relevance(case.model, case.images[part], case.target[part], self.rules)[:2]

        found = [made for _, made in in_chunks(case.model, case.images, len(case), compute, "gradient")]
        return self.conclude(torch.cat([values for values, _ in found]), torch.cat([score for _, score in found]))

    def leaks(self, model: Model, images: Tensor, target: Tensor) -> list[Leak]:
        """Relevance above and below each operation that has a rule, from the output down, for one batch."""
        return relevance(model, images, target, self.rules)[2]

    def conclude(self, values: Tensor, scores: Tensor) -> Explanation:
        """Relevance claims the score; a gradient claims nothing."""
        return Explanation.plain(values)

    def cost(self) -> PassCount:
        return PassCount(2, 1)
