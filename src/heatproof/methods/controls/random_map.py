"""Random control: A ~ N(0, 1), independent per value; it knows neither the image nor the network. Cost: no rows."""

from typing import ClassVar

from heatproof.methods.base import Case, Explanation, Method
from heatproof.passes.counting import PassCount


class RandomMap(Method):
    """White noise. A score that a method shares with this one says nothing about the network."""

    control: ClassVar[bool] = True

    @property
    def stochastic(self) -> bool:
        return True

    def explain(self, case: Case) -> Explanation:
        return Explanation.plain(case.draws.normal("random map", 0, case.images.shape[1:]))

    def cost(self) -> PassCount:
        return PassCount()
