"""Channels → one map. A metric or figure declares which; nothing reduces silently."""

from jaxtyping import Float
from torch import Tensor

from heatproof.core.errors import TensorError
from heatproof.core.records import Reduction


def reduce(values: Float[Tensor, "b c h w"], reduction: Reduction) -> Float[Tensor, "b c_out h w"]:
    """Reduce the channel axis; the result keeps an axis of one channel (all of them for `Reduction.NONE`).

    `SUM` keeps the sign, so that opposite channels cancel: it is what the published SmoothTaylor tables use.

    Raises:
        TensorError: Values that are no images: in a table, axis 1 holds what is explained and must not be summed.
    """
    if values.ndim != 4:
        raise TensorError(f"reduction to one map: expected maps [b, c, h, w], got {list(values.shape)}; use the raw values")
    match reduction:
        case Reduction.NONE:
            return values
        case Reduction.SUM:
            return values.sum(1, keepdim=True)
        case Reduction.ABSOLUTE_SUM:
            return values.abs().sum(1, keepdim=True)
        case Reduction.MEAN_ABSOLUTE:
            return values.abs().mean(1, keepdim=True)
        case Reduction.L2:
            return values.square().sum(1, keepdim=True).sqrt()
