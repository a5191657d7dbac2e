"""Windows of one size at regular places along each axis, as they slide over an image, a signal or the columns of a table.

Along an axis of n places, windows begin at 0, s, 2 s … with stride s, until one reaches the end; what reaches beyond it is cut off,
so that one window covers an axis that is shorter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from heatproof.core.errors import TensorError
from heatproof.numerics.wide import wide


@dataclass(frozen=True)
class Windows:
    """All windows over axes of the given lengths, in the order of their places, the last axis first.

    lengths  the number of places along each axis.
    sizes    the size of a window along each axis.
    strides  the distance of consecutive windows along each axis; no more than the size, so that every place is in a window.

    >>> import torch
    >>> from heatproof.perturb.masks.windows import Windows
    >>> windows = Windows((7,), (3,), (2,))
    >>> windows.covering([0, 2]).long()
    tensor([[1, 1, 1, 0, 0, 0, 0],
            [0, 0, 0, 0, 1, 1, 1]])
    >>> windows.spread(torch.tensor([[3.0, 6.0, 9.0]]))  # each place: the mean over its windows of value / size
    tensor([[1.0000, 1.0000, 1.5000, 2.0000, 2.5000, 3.0000, 3.0000]])
    """

    lengths: tuple[int, ...]
    sizes: tuple[int, ...]
    strides: tuple[int, ...]

    @classmethod
    def over(cls, space: Sequence[int], size: int | Sequence[int], stride: int | Sequence[int]) -> "Windows":
        """Windows over the axes of a space, from one number for every axis or one number for each.

        Raises:
            TensorError: The numbers do not fit the axes.
        """
        lengths = tuple(space)
        sizes, strides = ((each,) * len(lengths) if isinstance(each, int) else tuple(each) for each in (size, stride))
        if not len(sizes) == len(strides) == len(lengths):
            raise TensorError(
                f"windows: expected one size and one stride for all axes, or one for each of the axes {list(lengths)}, "
                f"got {size} and {stride}; leave out the others"
            )
        return cls(lengths, sizes, strides)

    @cached_property
    def starts(self) -> tuple[range, ...]:
        """Where windows begin along each axis."""
        return tuple(range(0, max(n - a, 0) + s, s) for n, a, s in zip(self.lengths, self.sizes, self.strides, strict=True))

    @property
    def count(self) -> int:
        """The number of windows."""
        return prod(map(len, self.starts))

    @property
    def disjoint(self) -> bool:
        """Whether no two windows overlap."""
        return all(s >= a or len(at) == 1 for a, s, at in zip(self.sizes, self.strides, self.starts, strict=True))

    @cached_property
    def boxes(self) -> Int[Tensor, "n 2 axes"]:
        """The first place of each window along each axis, and the place after its last."""
        edges = [
            [(at, min(at + a, n)) for at in starts] for starts, a, n in zip(self.starts, self.sizes, self.lengths, strict=True)
        ]
        return torch.tensor([list(zip(*window, strict=True)) for window in product(*edges)])

    def covering(self, k: Sequence[int]) -> Bool[Tensor, "r *axes"]:
        """Which places are in each of some windows."""
        boxes, axes = self.boxes[list(k)], len(self.lengths)
        inside = torch.ones(len(boxes), *[1] * axes, dtype=torch.bool)
        for axis, n in enumerate(self.lengths):
            place = torch.arange(n)
            along = (place >= boxes[:, 0, axis, None]) & (place < boxes[:, 1, axis, None])
            inside = inside & along.view(-1, *[n if other == axis else 1 for other in range(axes)])
        return inside

    def spread(self, values: Float[Tensor, "b n"]) -> Float[Tensor, "b *axes"]:
        """Each place's mean of value / size over the windows that it is in, a window's size being its number of places.

        The values are added up along one axis after the other by running sums: the cost is that of windows and places, whatever the
        size of the windows.
        """
        shape, sizes = [len(starts) for starts in self.starts], (self.boxes[:, 1] - self.boxes[:, 0]).prod(1)
        sums = (values.double() / sizes.to(values.device)).view(-1, *shape)
        for axis, (n, a, starts) in enumerate(zip(self.lengths, self.sizes, self.starts, strict=True), 1):
            first = torch.tensor(starts, device=values.device)
            steps = sums.new_zeros(*sums.shape[:axis], n + 1, *sums.shape[axis + 1 :])
            steps.index_add_(axis, first, sums).index_add_(axis, (first + a).clamp(max=n), -sums)
            running = steps.cumsum(axis).narrow(axis, 0, n)
            counts = torch.zeros(n + 1, dtype=torch.double, device=values.device)
            counts.index_add_(0, first, torch.ones_like(first, dtype=torch.double))
            counts.index_add_(0, (first + a).clamp(max=n), -torch.ones_like(first, dtype=torch.double))
            sums = running / counts.cumsum(0)[:n].view(-1, *[1] * (running.ndim - axis - 1))
        return sums.to(wide(values).dtype)
