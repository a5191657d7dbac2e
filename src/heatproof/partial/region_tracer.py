"""The tracer that both kinds of pass share: it knows each tensor's affected region, and runs each step on regions or in full.

What a step does with regions differs between the recording (`record.py`) and a replay (`replay.py`): a `PassPolicy` defines it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from heatproof.partial.interval import AxisInterval
from heatproof.partial.operations import handler
from heatproof.partial.operations.base import RegionResult, TracedCall
from heatproof.partial.plan import ReplayMismatch
from heatproof.partial.region import Axes, Region
from heatproof.tracing.catalogue import MEMORY_LAYOUT, METADATA, writes_in_place
from heatproof.tracing.signatures import operation_name
from heatproof.tracing.tracer import Tracer, leaves, mapped


class PassPolicy(ABC):
    """What one kind of pass does at each step of a `RegionTracer`."""

    @abstractmethod
    def runs_on_regions(self, result: RegionResult) -> bool:
        """Return whether a step that can be computed on regions is."""

    @abstractmethod
    def start_step(self, call: TracedCall, result: RegionResult | None) -> None:
        """Note a step before it is computed; `result` is None if it is computed on full tensors."""

    @abstractmethod
    def finish_step(self) -> None:
        """Note that the step has been computed."""

    @abstractmethod
    def compute(self, call: TracedCall, result: RegionResult) -> Any:
        """Return the values that a step on regions gives: a tensor, or several in a nest of tuples and lists."""

    @abstractmethod
    def new_region(
        self, number: int, values: Tensor, y: AxisInterval, x: AxisInterval, axes: Axes, *, shares_memory: bool
    ) -> tuple[Tensor, Region]:
        """Return the tensor that the network continues with for newly computed values, and its region."""

    @abstractmethod
    def full(self, region: Region) -> Tensor:
        """Return a full tensor that the network may write to."""


class RegionTracer(Tracer):
    """Runs a network step by step, on regions wherever an operation allows it and the policy wants it."""

    def __init__(self, module: nn.Module, policy: PassPolicy) -> None:
        super().__init__(module)
        self._policy = policy
        self._regions: Any = WeakIdKeyDictionary()  # of all tensors that depend on the image; None for those without a region
        self._numbers = count()

    def with_region(self, values: Tensor, y: AxisInterval, x: AxisInterval, axes: Axes, *, shares_memory: bool = False) -> Tensor:
        """Return the tensor that the network continues with for these values, now tracked and with a region."""
        number = next(self._numbers)
        tensor, region = self._policy.new_region(number, values, y, x, axes, shares_memory=shares_memory)
        self._regions[tensor] = region
        return tensor

    def full(self, tensor: Tensor) -> Tensor:
        """Return the full tensor of one that the network returned."""
        tensor = self.current(tensor)
        region = self._regions.get(tensor)
        return tensor if region is None else self._policy.full(region)

    def is_tracked(self, tensor: Tensor) -> bool:
        """Whether the tensor depends on the image."""
        return tensor in self._regions

    def intercept(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], tracked: Sequence[Tensor]) -> Any:
        """Run one operation of the network, on regions or in full."""
        if func in METADATA:
            return func(*args, **kwargs)
        regions = {id(tensor): region for tensor in tracked if (region := self._regions[tensor]) is not None}
        if not regions:
            return self._without_region(func(*args, **kwargs))
        call = TracedCall(func, args, kwargs, tracked, regions)
        if func in MEMORY_LAYOUT:
            return call.run(*(region.data for region in call.regions))
        result = self._region_result(call)
        self._policy.start_step(call, result)
        outputs = self._run_in_full(call) if result is None else self._run_on_regions(call, result)
        self._policy.finish_step()
        return outputs

    def _region_result(self, call: TracedCall) -> RegionResult | None:
        """Return how the step is computed on regions; None if it is computed on full tensors."""
        handle = handler(call.func) if len(call.regions) == len(call.tracked) else None
        result = handle(call) if handle else None
        if result is None or not self._policy.runs_on_regions(result):
            return None
        if result.written is not None and result.written.shares_memory:
            raise ReplayMismatch(f"{operation_name(call.func)}: a tensor is changed in place that shares memory with another")
        return result

    def _run_on_regions(self, call: TracedCall, result: RegionResult) -> Any:
        def tracked(values: Tensor) -> Tensor:
            return self.with_region(values, result.y, result.x, result.axes, shares_memory=result.may_alias)

        outputs = mapped(tracked, self._policy.compute(call, result))
        if result.may_alias:
            for region in call.regions:
                region.shares_memory = True
        if result.written is not None:
            self.replace_in_place(next(tensor for tensor in call.tracked if call.region_of(tensor) is result.written), outputs)
        return outputs

    def _run_in_full(self, call: TracedCall) -> Any:
        tensors = {region.number: tensor for tensor in call.tracked if (region := call.region_of(tensor)) is not None}
        full = {region.number: self._policy.full(region) for region in call.regions}
        outputs = call.run(*(full[region.number] for region in call.regions))
        first = call.region_of(call.args[0]) if call.args else None
        for number, tensor in full.items():
            written = outputs is tensor or (writes_in_place(call.func) and first is not None and first.number == number)
            if written:
                self.replace_in_place(tensors[number], tensor)
            self._regions[tensor] = None
        return self._without_region(outputs)

    def _without_region(self, outputs: Any) -> Any:
        """Track the outputs as tensors that depend on the image and have no region."""
        for leaf in leaves(outputs):
            if isinstance(leaf, Tensor):
                self._regions[leaf] = None
        return outputs
