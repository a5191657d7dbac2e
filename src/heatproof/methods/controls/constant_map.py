"""The constant control.

    A = 1

Every ranking of the values of this map is a tie.

Cost: none.
"""

from typing import ClassVar

from heatproof.methods.base import Case, Explanation, Method
from heatproof.passes.counting import ImageShape, PassCount


class ConstantMap(Method):
    """A map of ones.

    Metrics that rank pixels break its ties at random; metrics of smoothness see the smoothest map there is.

    >>> import torch
    >>> from heatproof.methods import ConstantMap
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> ConstantMap().attribute(model, images).values.unique()
    tensor([1.])
    """

    control: ClassVar[bool] = True

    def explain(self, case: Case) -> Explanation:
        return Explanation.plain(case.images.new_ones(case.images.shape))

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount()
