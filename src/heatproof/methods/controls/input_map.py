"""The input control.

    A(x) = x, in model space

x is the image. The map shows what multiplication by the input contributes by itself.

Cost: none.
"""

from typing import ClassVar

from heatproof.methods.base import Case, Explanation, Method
from heatproof.passes.counting import ImageShape, PassCount


class InputMap(Method):
    """The image itself: the control for every method that multiplies by the input.

    >>> import torch
    >>> from heatproof.methods import InputMap
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> torch.equal(InputMap().attribute(model, images).values, images)
    True
    """

    zero_because: ClassVar[str] = "so is the image"
    control: ClassVar[bool] = True

    def explain(self, case: Case) -> Explanation:
        return Explanation.plain(case.images.clone())

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount()
