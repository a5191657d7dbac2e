"""A replay: later passes of the network in which one rectangle of each image is replaced, and only affected regions are computed.

The network's own code runs on stand-ins: tensors of the right shape that hold no values, each with a region that does, one row
per candidate. An operation that is unknown, that mixes places, or whose result is affected for the most part gets full tensors,
which are put together from the region and the cached activations around it; everything computed from these alone is an ordinary
tensor.

The network must run the same operations in the same order as in the recording.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from heatproof.partial.gather import CandidateGroup, Gatherer
from heatproof.partial.interval import AxisInterval, CellRange
from heatproof.partial.operations.base import RegionResult, TracedCall
from heatproof.partial.plan import CachedActivations, ReplayMismatch, ReplayPlan, ReplayStep
from heatproof.partial.region import PLANE, Axes, InputWindow, Region
from heatproof.partial.region_tracer import PassPolicy, RegionTracer
from heatproof.tracing.signatures import operation_name


class Replay(PassPolicy):
    """One batch of candidates.

    plan      what the recording found.
    cached    the activations of the images.
    groups    which rows are candidates of which image, and the corner of their rectangle.
    observer  is called with every region that is made.
    """

    def __init__(
        self,
        plan: ReplayPlan,
        cached: CachedActivations,
        groups: Sequence[CandidateGroup],
        observer: Callable[[Region], None] | None = None,
    ) -> None:
        self._plan, self._groups, self._observer = plan, groups, observer
        self._gatherer = Gatherer(cached, groups)
        self._places = [place for place, group in enumerate(groups) for _ in range(group.rows.stop - group.rows.start)]
        self._shares: list[float | None] = []

    def outputs(self, module: nn.Module, forward: Callable[[Tensor], Tensor], rectangles: Tensor) -> Tensor:
        """Return the network's outputs for the candidates.

        Args:
            module: the network, whose operations are traced.
            forward: runs it on a batch of images.
            rectangles: `[r, c, h, w]`, what replaces the rectangle in each row; the network may overwrite them.

        Raises:
            ReplayMismatch: The network did not run the recorded operations.
        """
        tracer = RegionTracer(module, self)
        intervals = self._plan.layout.intervals([group.corner for group in self._groups])
        images = tracer.with_region(rectangles, *intervals, PLANE)
        with tracer:
            outputs = forward(images)
        steps = len(self._plan.steps)
        if len(self._shares) != steps:
            raise ReplayMismatch(f"expected {steps} operations, as on the clean images, got {len(self._shares)}")
        return tracer.full(outputs)

    @property
    def share(self) -> float:
        """The share of the network's floating-point operations that each row took."""
        return self._plan.share_of_flops(self._shares)

    def runs_on_regions(self, result: RegionResult) -> bool:
        """Return whether the recording computed this step on regions."""
        step = self._next_step()
        return step is not None and step.share is not None

    def start_step(self, call: TracedCall, result: RegionResult | None) -> None:
        """Compare the step with the recorded one.

        Raises:
            ReplayMismatch: They differ.
        """
        step, numbers = self._next_step(), tuple(region.number for region in call.regions)
        on_regions = result is not None
        if step is None or step.func != call.func or step.numbers != numbers or (step.share is not None) != on_regions:
            raise ReplayMismatch(f"expected the operations that ran on the clean images, got {operation_name(call.func)}")
        self._shares.append(None if result is None else result.share)

    def finish_step(self) -> None:
        """Do nothing."""

    def compute(self, call: TracedCall, result: RegionResult) -> Any:
        """Return the values of the result's region, computed from the windows that the operation reads."""
        if result.concatenates is not None:
            return self._gatherer.concatenated(result.windows, result.concatenates)
        windows = [self._gatherer.window(window) for window in result.windows]
        if result.written is not None and result.written.read_only:
            windows = [window.clone() for window in windows]
        return result.run(*windows, self._places) if result.takes_places else result.run(*windows)

    def new_region(
        self, number: int, values: Tensor, y: AxisInterval, x: AxisInterval, axes: Axes, *, shares_memory: bool
    ) -> tuple[Tensor, Region]:
        """Return a stand-in for the network, and the region that holds the values."""
        shape = list(values.shape)
        shape[axes.y], shape[axes.x] = y.axis_size, x.axis_size
        region = Region(number, y, x, axes, stand_in(values, shape), values, shares_memory)
        if self._observer is not None:
            self._observer(region)
        return stand_in(values, shape), region

    def full(self, region: Region) -> Tensor:
        """Return the full tensor of each candidate: the region among the cached activations of its image."""
        if region.full is None:
            y, x = (CellRange((0,) * len(cells.first), cells.axis_size) for cells in (region.y, region.x))
            region.full = self._gatherer.window(InputWindow(region, y, x))
        return region.full

    def _next_step(self) -> ReplayStep | None:
        return self._plan.steps[len(self._shares)] if len(self._shares) < len(self._plan.steps) else None


def stand_in(like: Tensor, shape: Sequence[int]) -> Tensor:
    """Return a tensor of a shape without memory for its values; all are NaN, so that reading them shows."""
    return torch.full((), torch.nan, dtype=like.dtype, device=like.device).expand(tuple(shape))
