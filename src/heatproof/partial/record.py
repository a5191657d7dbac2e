"""The recording: one pass on clean images that plans the partial recomputation and caches the activations it will look up.

The network runs on full tensors. Each step's affected region is worked out for every possible place of the rectangle. A tensor is
cached if some step reads it around its region, or in full.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor, nn

from heatproof.partial.flops import FlopCount
from heatproof.partial.interval import AxisInterval
from heatproof.partial.operations.base import RegionResult, TracedCall
from heatproof.partial.plan import CachedActivations, RegionLayout, ReplayPlan, ReplayStep, TensorUse
from heatproof.partial.region import PLANE, Axes, Region
from heatproof.partial.region_tracer import PassPolicy, RegionTracer


class Recorded(NamedTuple):
    """What the recording gives: the plan, and the activations of each image that replays look up."""

    plan: ReplayPlan
    cached: CachedActivations


def record(
    module: nn.Module,
    forward: Callable[[Tensor], Any],
    images: Tensor,
    layout: RegionLayout,
    flops: FlopCount | None = None,
) -> Recorded:
    """Run the network on clean images and return the plan and the cached activations.

    Args:
        module: the network, whose operations are traced.
        forward: runs it on a batch `[b, c, h, w]`; it may overwrite the batch.
        images: the batch.
        layout: the sizes of rectangle and images.
        flops: a running counter of floating-point operations; without one, the plan holds zeros.

    Raises:
        ReplayMismatch: A tensor that shares memory with another is changed in place.
        ModelError: The network holds modules whose operations cannot be seen.
    """
    policy = _Recording(layout, flops)
    tracer = RegionTracer(module, policy)
    batch = tracer.with_region(images, *layout.intervals(), PLANE)
    with tracer:
        forward(batch)
    return policy.recorded()


class _Recording(PassPolicy):
    """Runs every step on all values, and notes what a replay will need."""

    def __init__(self, layout: RegionLayout, flops: FlopCount | None) -> None:
        self._plan, self._flops, self._flops_before = ReplayPlan(layout), flops, 0
        self._cached: dict[int, Tensor] = {}

    def recorded(self) -> Recorded:
        self._plan.total_flops = self._counted()
        return Recorded(self._plan, {number: list(tensor.unbind(0)) for number, tensor in self._cached.items()})

    def runs_on_regions(self, result: RegionResult) -> bool:
        layout = self._plan.layout
        early = layout.full_from is None or len(self._plan.steps) < layout.full_from
        return early and result.average_share <= layout.largest_share

    def start_step(self, call: TracedCall, result: RegionResult | None) -> None:
        numbers = tuple(region.number for region in call.regions)
        for number in numbers:
            self._plan.uses[number].last_used_at = len(self._plan.steps)
        self._plan.steps.append(ReplayStep(call.func, numbers, None if result is None else (result.y, result.x)))
        self._flops_before = self._counted()

    def finish_step(self) -> None:
        self._plan.step_flops.append(self._counted() - self._flops_before)

    def compute(self, call: TracedCall, result: RegionResult) -> Any:
        for window in result.windows:
            if not window.is_region:
                self._cache(window.region)
        return call.run(*(region.data.clone() if region is result.written else region.data for region in call.regions))

    def new_region(
        self, number: int, values: Tensor, y: AxisInterval, x: AxisInterval, axes: Axes, *, shares_memory: bool
    ) -> tuple[Tensor, Region]:
        size = values[:1].numel() * values.element_size()
        self._plan.uses.append(TensorUse(size, int(size * y.share * x.share), len(self._plan.steps) - 1))
        alias = values.detach()  # another object for the same memory: a tensor that its own region kept alive would never be freed
        return alias, Region(number, y, x, axes, values, values, shares_memory)

    def full(self, region: Region) -> Tensor:
        self._cache(region)
        return region.data.clone()  # the network may write to its own copy, and not to the cached activations

    def _cache(self, region: Region) -> None:
        use = self._plan.uses[region.number]
        use.cached_from = len(self._plan.steps) - 1 if use.cached_from is None else use.cached_from
        self._cached[region.number] = region.data

    def _counted(self) -> int:
        return 0 if self._flops is None else self._flops.flops
