"""Maps that were made elsewhere, as a method of ours: those of another tool, or the truth where it is known.

A truth that takes part in a comparison (an *oracle*) shows what a metric can reach at most, and whether it prefers the truth.

Cost: none.
Source: of the maps, whatever made them.
"""

from typing import Annotated, ClassVar, Self

from pydantic import BeforeValidator, ConfigDict, model_validator

from heatproof.core.errors import TensorError
from heatproof.methods.base import Case, Explanation, Method
from heatproof.numerics.frozen_tensor import ALLOW_TENSORS, FrozenTensor
from heatproof.numerics.wide import wide_type
from heatproof.passes.counting import ImageShape, PassCount
from heatproof.perturb.draws import digests_of


class GivenMap(Method):
    """A map for each of some images. It cannot explain another image, also none that a metric has changed.

    An image is identified by its content, so that its map does not depend on the batch or its order. The map is the same whatever
    the network and the class.

    values  the maps `[n, c, …]`, or `[n, 1, …]` where all channels share a map equally.
    images  the images `[n, c, …]` that they belong to, in model space, as they are explained. Only digests of them are kept.

    Raises:
        SettingsError: `values` and `images` differ in number.
        TensorError: On a call, if there is no map for an image, or if it has another size.

    >>> import torch
    >>> import heatproof as hp
    >>> from heatproof.interop import GivenMap
    >>> from heatproof.models.loaders import Toy
    >>> model, images = Toy(architecture="cnn", width=0.1).load(), torch.linspace(0, 1, 2 * 784).view(2, 1, 28, 28)
    >>> truth = GivenMap(values=images.square(), images=images)
    >>> hp.score("single_deletion", model, images, truth, target=3).values.shape
    torch.Size([2])
    """

    model_config: ClassVar[ConfigDict] = ALLOW_TENSORS
    class_discriminative: ClassVar[bool] = False

    values: FrozenTensor
    images: Annotated[tuple[str, ...], BeforeValidator(digests_of)]

    @model_validator(mode="after")
    def _one_for_each(self) -> Self:
        if len(self.values) != len(self.images):
            raise ValueError(f"values: expected one map for each of the {len(self.images):,} images, got {len(self.values):,}")
        return self

    def explain(self, case: Case) -> Explanation:
        number = {digest: n for n, digest in enumerate(self.images)}
        found = [number.get(digest.hex()) for digest in case.draws.digests]
        if None in found:
            raise TensorError(
                f"given_map: expected one of the {len(self.images):,} images that maps were given for, got another one; give "
                "images=… exactly as they are explained, and take a metric that explains no further images"
            )
        shape = case.images.shape
        maps = self.values[found].to(case.images.device, wide_type(case.images.dtype))
        if maps.shape[2:] != shape[2:] or maps.shape[1] not in (1, shape[1]):
            raise TensorError(f"given_map: expected maps of the images' size {list(shape[1:])}, got {list(maps.shape[1:])}")
        shared = shape[1] if maps.shape[1] == 1 else 1
        return Explanation.plain((maps / shared).to(case.images.dtype).expand(shape).clone())

    def cost(self, image_shape: ImageShape) -> PassCount:
        return PassCount()
