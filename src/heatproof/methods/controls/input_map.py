"""The input control.

    A_c(x) = x_c, in model space, for the shown channels c, and 0 for the others

x is the image. The map shows what multiplication by the input contributes by itself. Channels with a meaning give further controls
of what the input says by itself: of molecules as graphs, the sum over the bonds is an atom's degree, and that over all elements
but carbon shows which atoms are no carbon.

Cost: none.
"""

from typing import ClassVar

import torch
from pydantic import NonNegativeInt

from heatproof.core.errors import TensorError
from heatproof.methods.base import Case, Explanation, Method
from heatproof.passes.counting import ImageShape, PassCount


class InputMap(Method):
    """The image itself: the control for every method that multiplies by the input.

    first  the first channel that is shown.
    last   the last channel that is shown; None = the last of all.

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

    first: NonNegativeInt = 0
    last: NonNegativeInt | None = None

    def explain(self, case: Case) -> Explanation:
        channels = case.images.shape[1]
        last = channels - 1 if self.last is None else self.last
        if not self.first <= last < channels:
            raise TensorError(f"input_map: expected channels between 0 and {channels - 1}, got {self.first} to {last}; name others")
        values = torch.zeros_like(case.images)
        values[:, self.first : last + 1] = case.images[:, self.first : last + 1]
        return Explanation.plain(values)

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount()
