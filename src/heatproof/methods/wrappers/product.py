"""The product of two maps, value by value: what both methods point at.

    A(x) = M₁(x) ⊙ M₂(x)

Guided Grad-CAM is the product of guided backpropagation and Grad-CAM.

Cost: that of both methods.
Source: Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based localization", ICCV 2017,
section 3.2.
Differs from the paper: an activation map is shared out to the channels of the input, so the product is smaller by their number.
"""

from functools import partial
from typing import ClassVar

from pydantic import Field

from heatproof.methods.base import Case, Explanation, Method
from heatproof.passes.counting import ImageShape, PassCount


class Product(Method):
    """Two methods, multiplied.

    first   the one.
    second  the other.
    """

    cite: ClassVar[str] = "Selvaraju et al., ICCV 2017"

    first: Method = Field(default_factory=partial(Method.from_dict, "guided_backprop"))
    second: Method = Field(default_factory=partial(Method.from_dict, "grad_cam"))

    @property
    def stochastic(self) -> bool:
        return self.first.stochastic or self.second.stochastic

    def explain(self, case: Case) -> Explanation:
        return Explanation.plain(self.first.explain(case).values * self.second.explain(case).values)

    def cost(self, image_shape: ImageShape) -> PassCount:
        one, other = self.first.cost(image_shape), self.second.cost(image_shape)
        return PassCount(one.forward + other.forward, one.backward + other.backward, one.clean + other.clean)
