"""Replacement values that the caller provides: the same for every image, or one for each.

An image is identified by its content, as for random draws (`perturb/draws.py`), so that its values do not depend on the batch, its
order, or the chunk. A noisy copy that a wrapper makes of an image has the values of that image.
"""

from typing import Annotated, ClassVar, Self

import torch
from jaxtyping import Float
from pydantic import BeforeValidator, ConfigDict, model_validator
from torch import Tensor

from heatproof.core.errors import TensorError
from heatproof.numerics.bounds import Bounds
from heatproof.numerics.frozen_tensor import FrozenTensor
from heatproof.perturb.draws import Draws, Index, digests_of
from heatproof.perturb.fills.base import Fill


class Custom(Fill):
    """Values in model space that replace those of the images.

    values  `[c, …]` for every image, or `[n, c, …]`, one for each of `images`.
    images  the images `[n, c, …]` that the values belong to, as they are explained; by default the values belong to every image.
            Of the images, only the digests of their content are kept.

    Raises:
        SettingsError: `values` and `images` differ in number, or equal images have different values.
        TensorError: On a call, if the values are not shaped as one image, or if there are none for an image.

    >>> import torch
    >>> from heatproof.models import Bounds
    >>> from heatproof.perturb.draws import Draws
    >>> from heatproof.perturb.fills import Custom
    >>> images = torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> fill = Custom(values=torch.full((1, 28, 28), 0.5))(images, Bounds.of(0, 1, 1), Draws.for_images(0, images), 0)
    >>> fill.shape, fill.unique()
    (torch.Size([2, 1, 28, 28]), tensor([0.5000]))
    >>> each = Custom(values=torch.stack([images[1], images[0]]), images=images)  # the other one of the two
    >>> torch.equal(each(images[1:], Bounds.of(0, 1, 1), Draws.for_images(0, images[1:]), 0), images[:1])
    True
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    local: ClassVar[bool] = False

    values: FrozenTensor
    images: Annotated[tuple[str, ...], BeforeValidator(digests_of)] = ()

    @model_validator(mode="after")
    def _one_for_each(self) -> Self:
        if self.images and len(self.values) != len(self.images):
            raise ValueError(f"values: expected one for each of the {len(self.images):,} images, got {len(self.values):,}")
        for digest, values in zip(self.images, self.values, strict=False):
            if not torch.equal(values, self.values[self.images.index(digest)]):
                raise ValueError("values: expected equal values for equal images, got different ones; leave the repetition out")
        return self

    def __call__(
        self, images: Float[Tensor, "b c *space"], bounds: Bounds, draws: Draws, index: Index
    ) -> Float[Tensor, "b c *space"]:
        shape = self.values.shape[1:] if self.images else self.values.shape
        if shape != images.shape[1:]:
            raise TensorError(
                f"custom: expected values shaped as one image, {list(images.shape[1:])}, got {list(shape)}; "
                "give one image without a batch axis, or one for each image together with images=…"
            )
        if not self.images:
            return self.values.to(images).expand_as(images)
        number = {digest: n for n, digest in enumerate(self.images)}
        found = [number.get(digest.hex()) for digest in draws.digests]
        if None in found:
            raise TensorError(
                f"custom: expected one of the {len(self.images):,} images that values were given for, got another image; "
                "give images=… exactly as they are explained, or values of one image for all"
            )
        return self.values[found].to(images)
