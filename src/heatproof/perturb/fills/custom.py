"""Replacement values that the caller provides."""

from typing import ClassVar

from jaxtyping import Float
from pydantic import ConfigDict
from torch import Tensor

from heatproof.core.errors import TensorError
from heatproof.numerics.bounds import Bounds
from heatproof.numerics.frozen_tensor import FrozenTensor
from heatproof.perturb.draws import Draws, Index
from heatproof.perturb.fills.base import Fill


class Custom(Fill):
    """The same `values` `[c, …]`, in model space, replace those of every image.

    Raises:
        TensorError: On a call, if the values are not shaped as one image.

    >>> import torch
    >>> from heatproof.models import Bounds
    >>> from heatproof.perturb.draws import Draws
    >>> from heatproof.perturb.fills import Custom
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> fill = Custom(values=torch.full((1, 28, 28), 0.5))(images, Bounds.of(0, 1, 1), Draws.for_images(0, images), 0)
    >>> fill.shape, fill.unique()
    (torch.Size([2, 1, 28, 28]), tensor([0.5000]))
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    local: ClassVar[bool] = False

    values: FrozenTensor

    def __call__(
        self, images: Float[Tensor, "b c *space"], bounds: Bounds, draws: Draws, index: Index
    ) -> Float[Tensor, "b c *space"]:
        if self.values.shape != images.shape[1:]:
            raise TensorError(
                f"custom: expected values shaped as one image, {list(images.shape[1:])}, got {list(self.values.shape)}; "
                "give one image without a batch axis"
            )
        return self.values.to(images).expand_as(images)
