"""Methods that change what flows backward: one pass of a composite's rules."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from heatproof.methods.base import Case, Explanation, Method
from heatproof.passes.counting import PassCount
from heatproof.passes.memory import in_chunks
from heatproof.passes.relevance import relevance
from heatproof.surgery.composites import Composite


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

    def conclude(self, values: Tensor, scores: Tensor) -> Explanation:
        """Relevance claims the score; a gradient claims nothing."""
        return Explanation.plain(values)

    def cost(self) -> PassCount:
        return PassCount(2, 1)
