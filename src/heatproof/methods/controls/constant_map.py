"""Constant control: A = 1 everywhere; every ranking of its pixels is a tie. Cost: no rows."""

from typing import ClassVar

from heatproof.methods.base import Case, Explanation, Method
from heatproof.passes.counting import ImageShape, PassCount


class ConstantMap(Method):
    """Ones. Metrics that rank pixels break its ties at random; metrics of texture see the smoothest map there is."""

    control: ClassVar[bool] = True

    def explain(self, case: Case) -> Explanation:
        return Explanation.plain(case.images.new_ones(case.images.shape))

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount()
