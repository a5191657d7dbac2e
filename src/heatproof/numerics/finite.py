"""Which samples are finite, in two passes over them and no copy."""

from jaxtyping import Bool, Float
from torch import Tensor


def finite(values: Float[Tensor, "b *shape"]) -> Bool[Tensor, " b"]:
    """Whether all of a sample's values are: its extremes are, and NaN is always one of them."""
    flat = values.flatten(1)
    return flat.amax(1).isfinite() & flat.amin(1).isfinite()
