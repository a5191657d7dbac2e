"""The interface of the operations: a handler takes a `TracedCall` and returns a `RegionResult`, or None.

None means that the operation, with these arguments, mixes places, so that it needs full tensors.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import Tensor

from heatproof.partial.interval import AxisInterval, hull
from heatproof.partial.region import PLANE, Axes, InputWindow, Region
from heatproof.tracing.tracer import leaves, mapped


@dataclass(frozen=True)
class RegionResult:
    """How an operation is computed on regions: the region of its result, the windows that it reads, and the function of these.

    y, x          the affected cells of the result along height and width.
    windows       the windows that `run` takes, in order.
    run           computes the result's region, or several regions with the same cells, from the windows.
    axes          the height and width axes of the result.
    takes_places  whether `run` takes, after the windows, the place of each row.
    concatenates  the axis along which the result is nothing but the windows one after another; None for any other operation.
    may_alias     whether the result may share memory with the tensors it was made of.
    written       the region whose memory `run` overwrites, where the operation works in place; the result replaces its tensor.
    """

    y: AxisInterval
    x: AxisInterval
    windows: Sequence[InputWindow]
    run: Callable[..., Any]
    axes: Axes = PLANE
    takes_places: bool = False
    concatenates: int | None = None
    may_alias: bool = False
    written: Region | None = None

    @property
    def share(self) -> float:
        """The share of the result that is computed."""
        return self.y.share * self.x.share

    @property
    def average_share(self) -> float:
        """The share of the result that is affected, on average over all places of the rectangle."""
        return float(self.y.share_of_place.mean() * self.x.share_of_place.mean())


@dataclass(frozen=True)
class TracedCall:
    """A call of a torch function with tensors that depend on the image, at least one of which has a region.

    tracked  the tensors that depend on the image, in the order of the arguments.
    regions_by_id  the regions of those that have one, by the `id` of the tensor.
    """

    func: Callable[..., Any]
    args: Sequence[Any]
    kwargs: dict[str, Any]
    tracked: Sequence[Tensor]
    regions_by_id: Mapping[int, Region]

    def region_of(self, argument: Any) -> Region | None:
        """Return the region of a tensor; None for a tensor without one and for any other argument."""
        return self.regions_by_id.get(id(argument))

    @cached_property
    def regions(self) -> list[Region]:
        """The regions, in the order of the arguments."""
        return [self.regions_by_id[id(tensor)] for tensor in self.tracked if id(tensor) in self.regions_by_id]

    @cached_property
    def constants(self) -> list[Tensor]:
        """The tensors among the arguments that have no region."""
        arguments = leaves((self.args, self.kwargs))
        return [leaf for leaf in arguments if isinstance(leaf, Tensor) and id(leaf) not in self.regions_by_id]

    def run(self, *values: Tensor) -> Any:
        """Call the function with the given values in place of the tensors that have a region, in order."""
        remaining = iter(values)

        def replaced(argument: Any) -> Any:
            return next(remaining) if id(argument) in self.regions_by_id else argument

        args, kwargs = mapped(replaced, (tuple(self.args), self.kwargs))
        return self.func(*args, **kwargs)

    def same_places(self, run: Callable[..., Any] | None = None, **details: Any) -> RegionResult | None:
        """Return the result of an operation whose output at a place reads its inputs at that place only.

        It is computed on the smallest region that contains those of all inputs.

        Args:
            run: the function of the windows; the called function itself unless given.
            details: further fields of the `RegionResult`.

        Returns:
            None if the inputs differ in size or in the axes that are height and width.
        """
        first = self.regions[0]
        y, x = first.y, first.x
        for region in self.regions[1:]:
            if region.axes != first.axes or (region.y.axis_size, region.x.axis_size) != (y.axis_size, x.axis_size):
                return None
            y, x = hull(y, region.y), hull(x, region.x)
        windows = [InputWindow(region, y, x) for region in self.regions]
        return RegionResult(y, x, windows, run or self.run, **{"axes": first.axes, **details})
