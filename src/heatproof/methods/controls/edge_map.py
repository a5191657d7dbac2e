"""Edge control: A = Sobel gradient length of each channel, in pixels scaled to [0, 1]; it knows the image but not the network.

Cost: no rows. Source: Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018, which compares maps with an edge detector.
"""

from typing import ClassVar

from heatproof.core.errors import TensorError
from heatproof.methods.base import Case, Explanation, Method
from heatproof.numerics.edges import sobel
from heatproof.passes.counting import ImageShape, PassCount


class EdgeMap(Method):
    """Sobel edges. A map that looks good but scores as this one may be showing the image, not the network."""

    control: ClassVar[bool] = True
    cite: ClassVar[str] = "Adebayo et al., NeurIPS 2018"

    def explain(self, case: Case) -> Explanation:
        if case.images.ndim != 4:
            raise TensorError(
                f"edge_map: expected images [b, c, h, w], got {list(case.images.shape)}; leave this control out for other data"
            )
        return Explanation.plain(sobel(case.model.bounds.to_pixels(case.images)))

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount()
