"""The distance of two tensors, as it is and relative to their size: ‖a − b‖ and ‖a − b‖ / max(‖a‖, ‖b‖)."""

from typing import NamedTuple, Self

import torch
from torch import Tensor


class Distance(NamedTuple):
    """How far two tensors are apart.

    Attributes:
        absolute: The norm of their difference; infinite where they differ in shape, or where one value is not finite and the other
            is another.
        relative: The same as a share of the larger of their norms, infinite where that is.
    """

    absolute: float
    relative: float

    @classmethod
    def between(cls, a: Tensor, b: Tensor) -> Self:
        """The distance of two tensors, in float64; values that are NaN or the same infinity in both are left out.

        >>> import torch
        >>> from heatproof.numerics.distance import Distance
        >>> Distance.between(torch.tensor([3.0, 4.0]), torch.tensor([3.0, 2.0]))
        Distance(absolute=2.0, relative=0.4)
        """
        if a.shape != b.shape:
            return cls(torch.inf, torch.inf)
        a, b = (each.detach().to("cpu", torch.float64) for each in (a, b))
        same = (a == b) | (a.isnan() & b.isnan())
        if bool(same.all()):
            return cls(0.0, 0.0)
        if not bool((same | (a.isfinite() & b.isfinite())).all()):
            return cls(torch.inf, torch.inf)
        a, b = (torch.where(each.isfinite(), each, 0.0) for each in (a, b))
        absolute = float((a - b).norm())
        return cls(absolute, absolute / max(float(a.norm()), float(b.norm())))
