"""A replacement the caller made."""

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
    """The same values `[c, …]` for every image, in model space."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    local: ClassVar[bool] = False

    values: FrozenTensor

    def __call__(
        self, images: Float[Tensor, "b c *space"], bounds: Bounds, draws: Draws, index: Index
    ) -> Float[Tensor, "b c *space"]:
        if self.values.shape != images.shape[1:]:
            raise TensorError(
                f"custom: expected values shaped as one image, {list(images.shape[1:])}, got {list(self.values.shape)}"
            )
        return self.values.to(images).expand_as(images)
