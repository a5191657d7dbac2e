"""The reduction of the channels of a map to one. Metrics and figures declare which one they use; nothing is reduced silently.

A table is a map of one channel (`numerics/places.py`), so that its columns are never summed.
"""

from jaxtyping import Float
from torch import Tensor

from heatproof.core.records import Reduction
from heatproof.numerics.places import as_places
from heatproof.numerics.wide import wide


def reduce(values: Float[Tensor, "b c *space"], reduction: Reduction) -> Float[Tensor, "b c_out *places"]:
    """Reduce the channel axis. The result keeps an axis of one channel, or of all channels for `Reduction.NONE`; for a table it is
    `[b, 1, f]`.

    `SUM` keeps the sign, so that channels of opposite sign cancel; the published SmoothTaylor tables use it.

    >>> import torch
    >>> from heatproof.core.records import Reduction
    >>> from heatproof.numerics.reduce import reduce
    >>> reduce(torch.tensor([-3.0, 4.0]).view(1, 2, 1, 1), Reduction.L2)
    tensor([[[[5.]]]])
    >>> reduce(torch.tensor([[-3.0, 4.0]]), Reduction.L2)
    tensor([[[3., 4.]]])
    """
    values = as_places(values)
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
