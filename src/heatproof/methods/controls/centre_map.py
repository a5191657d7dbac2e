"""The centre control.

    A_i = exp(−Σ_axes ((i − centre) / (σ n))² / 2)

i is a place, n the number of places along an axis and σ a share of it. Photographs show their object in the middle: a map that is
compared with regions of objects, or with what the network uses, must beat this one, which knows neither image nor network.

Cost: none.
Source: Tatler, "The central fixation bias in scene viewing", Journal of Vision 2007, whose baseline for maps of gaze it is.
"""

from typing import ClassVar

import torch
from pydantic import PositiveFloat

from heatproof.methods.base import Case, Explanation, Method
from heatproof.numerics.wide import wide_type
from heatproof.passes.counting import ImageShape, PassCount


class CentreMap(Method):
    """A Gaussian in the centre of the image, the same in every channel. It needs places: a signal, an image or a volume.

    sigma  the standard deviation along each axis, as a share of its length.

    >>> import torch
    >>> from heatproof.methods import CentreMap
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> values = CentreMap().attribute(model, images).values
    >>> bool(values[0, 0, 14, 14] > values[0, 0, 0, 14] > values[0, 0, 0, 0] > 0)
    True
    """

    control: ClassVar[bool] = True
    needs_places: ClassVar[bool] = True
    cite: ClassVar[str] = "Tatler, Journal of Vision 2007"

    sigma: PositiveFloat = 0.25

    def explain(self, case: Case) -> Explanation:
        images = case.images
        values = images.new_ones((), dtype=wide_type(images.dtype))
        for n in images.shape[2:]:
            at = (torch.arange(n, device=images.device, dtype=values.dtype) + 0.5) / n - 0.5
            values = values[..., None] * torch.exp(-0.5 * (at / self.sigma) ** 2)
        return Explanation.plain(values.to(images.dtype).expand(images.shape).clone())

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount()
