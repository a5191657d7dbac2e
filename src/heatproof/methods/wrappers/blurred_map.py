"""The blurred map of another method: each channel of M(x), blurred by a Gaussian.

    A(x) = G_σ * M(x)

A blur cannot add information to a map. Where a metric prefers the blurred map, it rewards smoothness and not knowledge of the
network, and its preference for a smooth method is no evidence.

Cost: that of the method.
Source: arXiv 2304.13836, 2023, on how blurring a map improves its scores by removal, with retraining and with imputation.
"""

from functools import partial
from typing import ClassVar

import torch
from pydantic import Field, PositiveFloat

from heatproof.methods.base import Case, Explanation, Method
from heatproof.numerics.blur import relative_blur
from heatproof.passes.counting import ImageShape, PassCount


class BlurredMap(Method):
    """The blurred map of a method, as a control for that method.

    method  the method whose map is blurred: by default the gradient.
    sigma   the standard deviation, as a share of the shorter side; where that is less than half a pixel, of the longer side.

    >>> import torch
    >>> from heatproof.methods import BlurredMap
    >>> from heatproof.models.loaders import Toy
    >>> model = Toy(architecture="cnn", width=0.1).load()
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> BlurredMap(method="gradient", sigma=0.1).attribute(model, images, target=3).values.shape
    torch.Size([2, 1, 28, 28])
    """

    needs_images: ClassVar[bool] = True
    zero_because: ClassVar[str] = "the map that is blurred is zero"
    cite: ClassVar[str] = "arXiv 2304.13836, 2023"

    method: Method = Field(default_factory=partial(Method.from_dict, "gradient"))
    sigma: PositiveFloat = 0.05

    @property
    def stochastic(self) -> bool:
        return self.method.stochastic

    @property
    def class_discriminative(self) -> bool:
        return self.method.class_discriminative

    def explain(self, case: Case) -> Explanation:
        inner = self.method.explain(case)
        unknown = torch.full_like(inner.expected_sum, torch.nan)
        blurred = relative_blur(inner.values, self.sigma)
        return Explanation(blurred, unknown, unknown, inner.probes, inner.notes)

    def cost(self, image_shape: ImageShape) -> PassCount:
        return self.method.cost(image_shape)
