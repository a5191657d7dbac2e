"""A test for samples whose values are all finite, in two passes over the values and without a copy."""

from jaxtyping import Bool, Shaped
from torch import Tensor


def finite(values: Shaped[Tensor, "b *shape"]) -> Bool[Tensor, " b"]:
    """Whether all values of a sample are finite. It suffices to look at the largest and the smallest, since NaN propagates to both.

    >>> import torch
    >>> from heatproof.numerics.finite import finite
    >>> finite(torch.tensor([[1.0, 2.0], [1.0, float("nan")]]))
    tensor([ True, False])
    """
    flat = values.flatten(1)
    return flat.amax(1).isfinite() & flat.amin(1).isfinite()
