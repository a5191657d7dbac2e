"""The edge control.

    A_c = |∇x_c| by Sobel filters, for each channel c in pixels scaled to [0, 1]

x is the image. The map depends on the image and not on the network.

Cost: none.
Source: Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018, which compares maps with an edge detector.
"""

from typing import ClassVar

from heatproof.methods.base import Case, Explanation, Method
from heatproof.numerics.sobel import sobel
from heatproof.passes.counting import ImageShape, PassCount


class EdgeMap(Method):
    """The length of the Sobel gradient of each channel of the image.

    A method that looks good but scores as this map does may be showing the image, not the network.

    >>> import torch
    >>> from heatproof.methods import EdgeMap
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> EdgeMap().attribute(model, images).values.shape
    torch.Size([2, 1, 28, 28])
    """

    zero_because: ClassVar[str] = "the image has no edges"
    control: ClassVar[bool] = True
    needs_images: ClassVar[bool] = True
    cite: ClassVar[str] = "Adebayo et al., NeurIPS 2018"

    def explain(self, case: Case) -> Explanation:
        return Explanation.plain(sobel(case.model.bounds.to_pixels(case.images)))

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount()
