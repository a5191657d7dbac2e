"""The product of the maps of two methods, value by value.

    A(x) = M₁(x) ⊙ M₂(x)

M₁ and M₂ are the maps of the two methods. Guided Grad-CAM is the product of guided backpropagation and Grad-CAM.

Cost: the cost of both methods.
Source: Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based localization", ICCV 2017, section
3.2.
Differs from the paper because an activation map is divided among the channels of the input, so that the product is smaller by a
factor of their number.
"""

from functools import partial
from typing import ClassVar

from pydantic import Field

from heatproof.methods.base import Case, Explanation, Method
from heatproof.passes.counting import ImageShape, PassCount


class Product(Method):
    """The maps of two methods, multiplied; by default Guided Grad-CAM.

    first   the first method: by default guided backpropagation.
    second  the second method: by default Grad-CAM.

    >>> import torch
    >>> from heatproof.methods import Product
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> Product(first="guided_backprop", second="grad_cam").attribute(model, images, target=3).values.shape
    torch.Size([2, 1, 28, 28])
    """

    zero_because: ClassVar[str] = "wherever one of the two maps is not zero, the other is"
    cite: ClassVar[str] = "Selvaraju et al., ICCV 2017"

    first: Method = Field(default_factory=partial(Method.from_dict, "guided_backprop"))
    second: Method = Field(default_factory=partial(Method.from_dict, "grad_cam"))

    @property
    def stochastic(self) -> bool:
        return self.first.stochastic or self.second.stochastic

    @property
    def class_discriminative(self) -> bool:
        return self.first.class_discriminative or self.second.class_discriminative

    def explain(self, case: Case) -> Explanation:
        return Explanation.plain(self.first.explain(case).values * self.second.explain(case).values)

    def cost(self, image_shape: ImageShape) -> PassCount:
        one, other = self.first.cost(image_shape), self.second.cost(image_shape)
        return PassCount(one.forward + other.forward, one.backward + other.backward, one.clean + other.clean)
