"""Reference images: each draw is one of them, chosen at random."""

from typing import ClassVar

from jaxtyping import Float
from pydantic import ConfigDict
from torch import Tensor

from heatproof.core.errors import TensorError
from heatproof.numerics.bounds import Bounds
from heatproof.numerics.frozen_tensor import FrozenTensor
from heatproof.perturb.draws import Draws, Index
from heatproof.perturb.fills.base import Fill


class Reference(Fill):
    """The background set of expected gradients: each image is equally likely at every draw.

    images  the images `[n, c, …]`, in model space.

    Raises:
        TensorError: On a call, if the reference images are not shaped as the images.

    >>> import torch
    >>> from heatproof.models import Bounds
    >>> from heatproof.perturb.draws import Draws
    >>> from heatproof.perturb.fills import Reference
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> fill = Reference(images=torch.rand(5, 1, 28, 28))(images, Bounds.of(0, 1, 1), Draws.for_images(0, images), 0)
    >>> fill.shape
    torch.Size([2, 1, 28, 28])
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)
    stochastic: ClassVar[bool] = True
    local: ClassVar[bool] = False

    images: FrozenTensor

    def __call__(
        self, images: Float[Tensor, "b c *space"], bounds: Bounds, draws: Draws, index: Index
    ) -> Float[Tensor, "b c *space"]:
        references = self.fitting(images)
        # in half precision a draw may round up to 1
        chosen = (draws.on_cpu().uniform("reference fill", index, ()) * len(references)).long()
        return references[chosen].to(images)

    def fitting(self, images: Float[Tensor, "b c *space"]) -> Float[Tensor, "n c *space"]:
        """The reference images, which are shaped as these images."""
        if self.images.shape[1:] != images.shape[1:]:
            raise TensorError(
                f"reference: expected images [n, {', '.join(map(str, images.shape[1:]))}], got {list(self.images.shape)}; "
                "preprocess them as the images"
            )
        return self.images
