"""The reduction of the channels of a map to one. Metrics and figures declare which one they use; nothing is reduced silently."""

from jaxtyping import Float
from torch import Tensor

from heatproof.core.errors import TensorError
from heatproof.core.records import Reduction
from heatproof.numerics.wide import wide


def reduce(values: Float[Tensor, "b c h w"], reduction: Reduction) -> Float[Tensor, "b c_out h w"]:
    """Reduce the channel axis. The result keeps an axis of one channel, or of all channels for `Reduction.NONE`.

    `SUM` keeps the sign, so that channels of opposite sign cancel; the published SmoothTaylor tables use it.

    Raises:
        TensorError: The values are not images. In a table, axis 1 holds what is explained and must not be summed.

    >>> import torch
    >>> from heatproof.core.records import Reduction
    >>> from heatproof.numerics.reduce import reduce
    >>> reduce(torch.tensor([-3.0, 4.0]).view(1, 2, 1, 1), Reduction.L2)
    tensor([[[[5.]]]])
    """
    if values.ndim != 4:
        raise TensorError(f"reduction to one map: expected maps [b, c, h, w], got {list(values.shape)}; use the raw values")
    match reduction:
        case Reduction.NONE:
            return values
        case Reduction.SUM:
            reduced = wide(values).sum(1, keepdim=True)
        case Reduction.ABSOLUTE_SUM:
            reduced = wide(values).abs().sum(1, keepdim=True)
        case Reduction.MEAN_ABSOLUTE:
            reduced = wide(values).abs().mean(1, keepdim=True)
        case Reduction.L2:
            reduced = wide(values).square().sum(1, keepdim=True).sqrt()
    return reduced.to(values.dtype)
