"""What a pass on clean images notes of a network: its steps where something is changed, and what they take."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from torch import Tensor

from heatproof.partial.interval import AxisInterval, span_at

Kept = dict[int, list[Tensor]]
"""By a tensor's number: its values for each image, `[…]` without an axis for rows."""


@dataclass(frozen=True)
class RegionLayout:
    """Where to compute parts, and where tensors as a whole.

    size   height and width of the rectangle.
    space  height and width of the images.
    most   share of a result above which it is computed as a whole, wherever the rectangle lies.
    calls  from this call on, all are.
    """

    size: tuple[int, int]
    space: tuple[int, int]
    most: float
    calls: int | None = None

    def spans(self, places: Sequence[tuple[int, int]] | None = None) -> tuple[AxisInterval, AxisInterval]:
        """The rectangle at these places, or wherever it may lie."""
        if places is None:
            rows, columns = (tuple(range(n - m + 1)) for n, m in zip(self.space, self.size, strict=True))
        else:
            rows, columns = zip(*places, strict=True)
        return span_at(rows, self.size[0], self.space[0]), span_at(columns, self.size[1], self.space[1])


@dataclass
class TensorUse:
    """Of a tensor with a part: its bytes an image, and the part's; the calls that made, last used and first looked around it."""

    size: int
    part: int
    made: int
    used: int = -1
    kept: int | None = None


class ReplayStep(NamedTuple):
    """A call in which parts are met: the function, their numbers, the most of its result that is computed; None for all."""

    func: Callable[..., Any]
    numbers: tuple[int, ...]
    share: float | None


@dataclass
class ReplayPlan:
    """What the first pass noted: steps, tensors by number, and floating-point operations of each step and of the network."""

    layout: RegionLayout
    steps: list[ReplayStep] = field(default_factory=list)
    uses: list[TensorUse] = field(default_factory=list)
    flops: list[int] = field(default_factory=list)
    total: int = 0

    @property
    def share(self) -> float:
        """Of the network's floating-point operations, the most that a candidate costs."""
        return self.cost([step.share for step in self.steps])

    def cost(self, shares: Sequence[float | None]) -> float:
        """Of the network's floating-point operations, those of the first steps, if such shares of them are done.

        With the last step goes what no part takes part in.
        """
        if not self.total:
            return 1.0
        done = sum(flops if share is None else flops * share for flops, share in zip(self.flops, shares, strict=False))
        return (done + (self.total - sum(self.flops) if len(shares) == len(self.steps) else 0)) / self.total

    def held(self, calls: int) -> int:
        """Bytes an image that are kept if all calls from this one on are done as a whole."""
        early = (use for use in self.uses if use.made < calls)
        return sum(use.size for use in early if use.used >= calls or (use.kept is not None and use.kept < calls))
