"""What stands for a tensor of which only a part has changed, and what an operation makes of such parts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from torch import Tensor

from heatproof.partial.interval import AxisInterval, CellRange, hull
from heatproof.tracing.tracer import leaves, mapped

Places = Sequence[int]
"""For each row, which place of the spans is its own."""


class Axes(NamedTuple):
    """Where a tensor has height and width, counted from its last axis: −2 and −1, or −3 and −2 with channels last."""

    y: int = -2
    x: int = -1


PLANE = Axes()
"""Height and width last."""


@dataclass(eq=False)
class Region:
    """Of a tensor, the part that a changed rectangle reaches.

    number  of the tensor among all that are followed, in order of their making: the same in every pass.
    like    has the tensor's shape, type and device.
    data    the part itself, a row a candidate; None where the network runs on clean images.
    shared  whether another tensor has the same memory, so that none of them may be changed in place.
    """

    number: int
    y: AxisInterval
    x: AxisInterval
    axes: Axes
    like: Tensor
    data: Tensor | None = None
    shared: bool = False
    whole: Tensor | None = None
    """The part among what lies around it, once that was asked for."""

    @property
    def share(self) -> float:
        """Of the tensor."""
        return self.y.share * self.x.share


class InputWindow(NamedTuple):
    """CellRange of a tensor around its part, or some of it; beyond its ends there is `fill`."""

    part: Region
    y: AxisInterval | CellRange
    x: AxisInterval | CellRange
    fill: float = 0.0

    @property
    def is_part(self) -> bool:
        """Whether these are the cells of the part, no more and no less, at every place."""
        pairs = ((self.y, self.part.y), (self.x, self.part.x))
        return all(isinstance(cells, AxisInterval) and cells.covers(span) for cells, span in pairs)


@dataclass(frozen=True)
class RegionResult:
    """An operation done on a part: where its result is, the windows it reads, and how it is computed of them.

    run      windows, in order → the result's part, or several of the same span.
    placed   whether `run` also takes `places`: for each row, which place of the spans' is its own, in height and width.
    joins    the axis along which the windows follow one another in the result, where it is nothing but these.
    shared   whether the result may share memory with what it was made of.
    written  the part whose memory `run` writes to, where the operation works in place, and that the result stands for from now on.
    """

    y: AxisInterval
    x: AxisInterval
    windows: Sequence[InputWindow]
    run: Callable[..., Any]
    axes: Axes = PLANE
    placed: bool = False
    joins: int | None = None
    shared: bool = False
    written: Region | None = None

    @property
    def share(self) -> float:
        """Of the result."""
        return self.y.share * self.x.share


@dataclass(frozen=True)
class TracedCall:
    """A call of torch in which parts are met: the tensors that depend on the image, in order, and the part of each that has one."""

    func: Callable[..., Any]
    args: Sequence[Any]
    kwargs: dict[str, Any]
    followed: Sequence[Tensor]
    known: Mapping[int, Region]
    """By the tensor's `id`."""

    def part_of(self, leaf: Any) -> Region | None:
        """The part of a tensor; None for one that no change can reach, and for what is no tensor."""
        return self.known.get(id(leaf))

    @cached_property
    def parts(self) -> list[Region]:
        """In order of the arguments."""
        return [self.known[id(tensor)] for tensor in self.followed if id(tensor) in self.known]

    @cached_property
    def constants(self) -> list[Tensor]:
        """Arguments that no change can reach."""
        return [leaf for leaf in leaves((self.args, self.kwargs)) if isinstance(leaf, Tensor) and id(leaf) not in self.known]

    def run(self, *data: Tensor) -> Any:
        """The function itself, of these in place of the parts, in order."""
        following = iter(data)
        args, kwargs = mapped(lambda leaf: next(following) if id(leaf) in self.known else leaf, (tuple(self.args), self.kwargs))
        return self.func(*args, **kwargs)

    def joined(self, run: Callable[..., Any] | None = None, **facts: Any) -> RegionResult | None:
        """The same operation done on what covers all parts; None if they do not lie in one way."""
        first = self.parts[0]
        y, x = first.y, first.x
        for part in self.parts[1:]:
            if part.axes != first.axes or (part.y.whole, part.x.whole) != (y.whole, x.whole):
                return None
            y, x = hull(y, part.y), hull(x, part.x)
        return RegionResult(
            y, x, [InputWindow(part, y, x) for part in self.parts], run or self.run, **{"axes": first.axes, **facts}
        )
