"""The region of a tensor that a replaced rectangle of the image can affect, and the window around it that an operation reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from heatproof.partial.interval import AxisInterval, CellRange

Places = Sequence[int]
"""The place of the rectangle that each row of a batch has, as an index into the places of an interval."""


class Axes(NamedTuple):
    """The height and width axes of a tensor, counted from its last one: −2 and −1, or −3 and −2 where channels come last."""

    y: int = -2
    x: int = -1


PLANE = Axes()
"""Height and width are the last two axes."""


@dataclass(eq=False)
class Region:
    """The affected region of one tensor in a running network.

    number        of the tensor among all tensors with a region, in the order in which they are made; the same in every pass.
    y, x          the affected cells along its height and its width.
    like          a tensor with the full shape, the type and the device.
    data          the values: of the region, one row per candidate, in a replay; of the full tensor in the recording.
    shares_memory whether another tensor has the same memory, so that neither may be changed in place.
    read_only     whether the data are still needed after the operation that changes the tensor in place.
    full          the full tensor in a replay, once an operation needed it.
    """

    number: int
    y: AxisInterval
    x: AxisInterval
    axes: Axes
    like: Tensor
    data: Tensor
    shares_memory: bool = False
    read_only: bool = False
    full: Tensor | None = None


class InputWindow(NamedTuple):
    """The cells of one tensor that an operation reads, in its region or around it; beyond the tensor's ends they are `fill`."""

    region: Region
    y: AxisInterval | CellRange
    x: AxisInterval | CellRange
    fill: float = 0.0

    @property
    def is_region(self) -> bool:
        """Whether the window is exactly the region at every place."""
        pairs = ((self.y, self.region.y), (self.x, self.region.x))
        return all(isinstance(cells, AxisInterval) and cells.same_cells(interval) for cells, interval in pairs)
