"""The plan of a partial recomputation: the steps of the network that the recording found, and what each of them costs.

A step is a call of a torch function with at least one tensor that has an affected region. It is computed on regions, for at most
`share` of its result, or on full tensors.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from torch import Tensor

from heatproof.core.errors import ModelError
from heatproof.partial.interval import AxisInterval, rectangle_interval

CachedActivations = dict[int, list[Tensor]]
"""The tensors that replays look up: by a tensor's number, its values for each image, without a batch axis."""


class ReplayMismatch(ModelError):
    """A pass differs from the recorded one, so that full forward passes are needed."""


@dataclass(frozen=True)
class RegionLayout:
    """The sizes of the rectangle and of the images, and where computing on regions ends.

    rectangle      height and width of the rectangle.
    image          height and width of the images.
    largest_share  a result with a larger affected share, on average over all places, is computed on full tensors.
    full_from      the step from which on all are computed on full tensors; None for no such limit.
    """

    rectangle: tuple[int, int]
    image: tuple[int, int]
    largest_share: float
    full_from: int | None = None

    def intervals(self, corners: Sequence[tuple[int, int]] | None = None) -> tuple[AxisInterval, AxisInterval]:
        """Return the rows and columns of the rectangle: at the given corners, one place each, or at every possible place."""
        if corners is None:
            rows, columns = (tuple(range(n - m + 1)) for n, m in zip(self.image, self.rectangle, strict=True))
        else:
            rows, columns = zip(*corners, strict=True)
        (height, width), (h, w) = self.image, self.rectangle
        return rectangle_interval(rows, h, height), rectangle_interval(columns, w, width)


@dataclass
class TensorUse:
    """The memory and the life of a tensor with a region.

    full_bytes    bytes per image.
    region_bytes  bytes per candidate.
    made_at       the step that made it; −1 for the images.
    last_used_at  the last step that used it.
    cached_from   the first step that reads it around its region or in full; None if none does.
    """

    full_bytes: int
    region_bytes: int
    made_at: int
    last_used_at: int = -1
    cached_from: int | None = None


class ReplayStep(NamedTuple):
    """One step: the function, the numbers of its tensors, and the rows and columns of its result that each place affects.

    The region is None for a step on full tensors.
    """

    func: Callable[..., Any]
    numbers: tuple[int, ...]
    region: tuple[AxisInterval, AxisInterval] | None

    @property
    def share(self) -> float | None:
        """The share of the result that is computed for the place that affects most; None for a step on full tensors."""
        return None if self.region is None else self.region[0].share * self.region[1].share


@dataclass
class ReplayPlan:
    """The recorded steps and tensors, and the floating-point operations of each step and of the network."""

    layout: RegionLayout
    steps: list[ReplayStep] = field(default_factory=list)
    uses: list[TensorUse] = field(default_factory=list)
    step_flops: list[int] = field(default_factory=list)
    total_flops: int = 0

    @property
    def share(self) -> float:
        """The largest share of the network's floating-point operations that one candidate takes."""
        return self.share_of_flops([step.share for step in self.steps])

    def share_of_flops(self, step_shares: Sequence[float | None]) -> float:
        """Return the share of the network's floating-point operations that its first steps take.

        Args:
            step_shares: the computed share of each of the first steps; None for a step on full tensors. With the last step, the
                operations outside all steps are included.
        """
        if not self.total_flops:
            return 1.0
        flops = sum(n if share is None else n * share for n, share in zip(self.step_flops, step_shares, strict=False))
        outside = self.total_flops - sum(self.step_flops) if len(step_shares) == len(self.steps) else 0
        return (flops + outside) / self.total_flops

    def cached_bytes(self, full_from: int) -> int:
        """Return the bytes per image that must be cached if all steps from `full_from` on are computed on full tensors."""
        return sum(
            use.full_bytes
            for use in self.uses
            if use.made_at < full_from
            and (use.last_used_at >= full_from or (use.cached_from is not None and use.cached_from < full_from))
        )
