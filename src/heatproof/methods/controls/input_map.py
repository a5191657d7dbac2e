"""Input control: A(x) = x, in model space; what multiplying by the input alone brings. Cost: no rows."""

from typing import ClassVar

from heatproof.methods.base import Case, Explanation, Method
from heatproof.passes.counting import ImageShape, PassCount


class InputMap(Method):
    """The image itself. The control for every method that multiplies by the input."""

    control: ClassVar[bool] = True

    def explain(self, case: Case) -> Explanation:
        return Explanation.plain(case.images.clone())

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount()
