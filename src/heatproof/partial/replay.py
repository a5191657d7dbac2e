"""A network run again after one rectangle of its input has changed: only what the change can reach is computed.

The first pass, on clean images, notes what each operation makes of the rectangle (see `locality/`), wherever it lies, and keeps
those tensors that later passes look up: what lies around a part where windows reach beyond it, where branches with different parts
meet, or where an operation needs the tensor as a whole. In later passes tensors of which only a part has changed are stand-ins of
the same shape, which hold no values; their parts are computed a row a candidate, of the candidates and of what was kept. An
operation that is unknown, that mixes places, or whose result is changed for the most part, gets its tensors as a whole, and what
comes out of it is ordinary.

The network must do the same operations in the same order in every pass; `Diverged` is raised where it does not.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.weak import WeakIdKeyDictionary

from heatproof.core.errors import ModelError
from heatproof.partial.gather import cells, empty_window, fill
from heatproof.partial.interval import AxisInterval, CellRange
from heatproof.partial.operations import handler
from heatproof.partial.plan import Kept, RegionLayout, ReplayPlan, ReplayStep, TensorUse
from heatproof.partial.region import PLANE, Axes, InputWindow, Region, RegionResult, TracedCall
from heatproof.tracing.catalogue import MEMORY_LAYOUT, METADATA, writes_in_place
from heatproof.tracing.signatures import operation_name
from heatproof.tracing.tracer import Tracer, leaves, mapped


class Diverged(ModelError):
    """A pass that cannot follow the first one: the rows must go as a whole."""


class Renewed(Exception):
    """All that is kept is that of the candidates."""


class _RegionTracer(Tracer):
    """What both passes share: which tensors have parts, which depend on the image, and that calls come in order."""

    def __init__(self, module: nn.Module, layout: RegionLayout) -> None:
        super().__init__(module)
        self.layout, self.calls = layout, 0
        self._known: Any = WeakIdKeyDictionary()
        self._made = 0

    def is_tracked(self, tensor: Tensor) -> bool:
        """Whether it depends on the image: with a part, or, as None says, as a whole."""
        return tensor in self._known

    def intercept(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], tracked: Sequence[Tensor]) -> Any:
        """On parts where that can be done, else as a whole."""
        if func in METADATA:
            return func(*args, **kwargs)
        parts = [(tensor, self._known[tensor]) for tensor in tracked]
        call = TracedCall(func, args, kwargs, tracked, {id(tensor): part for tensor, part in parts if part is not None})
        if not call.parts:
            return self._reach(func(*args, **kwargs))
        if func in MEMORY_LAYOUT:
            return self.layout_of(call)
        handle = handler(func) if len(call.parts) == len(tracked) else None
        local = handle(call) if handle else None
        if local is not None and not self.takes(local):
            local = None
        tensors = {part.number: tensor for tensor, part in parts if part is not None}
        if local is not None and local.written is not None and local.written.shared:
            raise Diverged(f"{operation_name(func)}: a tensor is changed in place that shares memory with another")
        self.note(call, local)
        found = self._as_whole(call, tensors) if local is None else self.compute(call, local, tensors)
        self.calls += 1
        if local is None:
            return found
        for part in call.parts if local.shared else ():
            part.shared = True
        if local.written is not None:
            self.replace_in_place(tensors[local.written.number], found)
        return found

    @abstractmethod
    def takes(self, local: RegionResult) -> bool:
        """Whether a step is done on parts, since it can be."""

    @abstractmethod
    def note(self, call: TracedCall, local: RegionResult | None) -> None:
        """Before a call is computed."""

    @abstractmethod
    def layout_of(self, call: TracedCall) -> Any:
        """How a tensor lies in memory."""

    @abstractmethod
    def compute(self, call: TracedCall, local: RegionResult, tensors: Mapping[int, Tensor]) -> Any:
        """The result of a call on parts, which have their tensors by number."""

    @abstractmethod
    def whole(self, part: Region, tensor: Tensor) -> Tensor:
        """A tensor with all its values."""

    def _as_whole(self, call: TracedCall, tensors: Mapping[int, Tensor]) -> Any:
        whole = {part.number: self.whole(part, tensors[part.number]) for part in call.parts}
        found = call.run(*(whole[part.number] for part in call.parts))
        first = call.part_of(call.args[0]) if call.args else None
        for number, tensor in whole.items():
            written = found is tensor or (writes_in_place(call.func) and first is not None and first.number == number)
            if written:
                self.replace_in_place(tensors[number], tensor)
            self._known[tensor] = None
        return self._reach(found)

    def _reach(self, found: Any) -> Any:
        for leaf in leaves(found):
            if isinstance(leaf, Tensor):
                self._known[leaf] = None
        return found

    def _part(
        self, y: AxisInterval, x: AxisInterval, axes: Axes, like: Tensor, data: Tensor | None = None, *, shared: bool = False
    ) -> Region:
        self._made += 1
        return Region(self._made - 1, y, x, axes, like, data, shared)


class Recording(_RegionTracer):
    """The first pass. After it, `kept` holds what later passes look up, and `trace` what they will do."""

    def __init__(self, module: nn.Module, layout: RegionLayout, flops: FlopCounterMode | None = None) -> None:
        super().__init__(module, layout)
        self.trace, self.kept = ReplayPlan(layout), Kept()
        self._held, self._flops = dict[int, Tensor](), flops

    def begin(self, images: Tensor) -> None:
        """Follow these."""
        self._tag(images, *self.layout.spans(), PLANE)

    def end(self) -> None:
        """Keep what was asked for, image by image."""
        self.trace.total = self._counted()
        self.kept = {number: list(tensor.unbind(0)) for number, tensor in self._held.items()}

    def intercept(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], tracked: Sequence[Tensor]) -> Any:
        """And count the floating-point operations of a step."""
        before, calls = self._counted(), self.calls
        found = super().intercept(func, args, kwargs, tracked)
        self.trace.flops += [self._counted() - before] * (self.calls - calls)
        return found

    def takes(self, local: RegionResult) -> bool:
        """Where not too much is changed, and not too late."""
        return local.share <= self.layout.most and (self.layout.calls is None or self.calls < self.layout.calls)

    def note(self, call: TracedCall, local: RegionResult | None) -> None:
        """Steps in order."""
        self.trace.steps.append(
            ReplayStep(call.func, tuple(part.number for part in call.parts), None if local is None else local.share)
        )
        for part in call.parts:
            self.trace.uses[part.number].used = self.calls

    def layout_of(self, call: TracedCall) -> Any:
        """Its own."""
        return call.func(*call.args, **call.kwargs)

    def compute(self, call: TracedCall, local: RegionResult, tensors: Mapping[int, Tensor]) -> Any:
        """As it is, on all values; out of place."""
        for window in local.windows:
            if not window.is_part:
                self._keep(window.part, tensors[window.part.number])
        own = tensors if local.written is None else {**tensors, local.written.number: tensors[local.written.number].clone()}
        found = call.run(*(own[part.number] for part in call.parts))
        found = mapped(lambda leaf: leaf.detach() if any(leaf is each for each in tensors.values()) else leaf, found)
        for leaf in leaves(found):
            self._tag(leaf, local.y, local.x, local.axes, shared=local.shared)
        return found

    def whole(self, part: Region, tensor: Tensor) -> Tensor:
        """A copy, so that nobody writes into what is kept."""
        self._keep(part, tensor)
        return tensor.clone()

    def _tag(self, tensor: Tensor, y: AxisInterval, x: AxisInterval, axes: Axes, *, shared: bool = False) -> None:
        self._known[tensor] = self._part(y, x, axes, stand_in(tensor, tensor.shape), shared=shared)
        size = tensor[:1].numel() * tensor.element_size()
        self.trace.uses.append(TensorUse(size, int(size * y.share * x.share), self.calls))

    def _keep(self, part: Region, tensor: Tensor) -> None:
        use = self.trace.uses[part.number]
        use.kept = self.calls if use.kept is None else use.kept
        self._held[part.number] = tensor

    def _counted(self) -> int:
        return 0 if self._flops is None else self._flops.get_total_flops()


class Group(NamedTuple):
    """Rows that are candidates of one image, and where their rectangle begins in it."""

    rows: slice
    image: int
    corner: tuple[int, int]


class Replay(_RegionTracer):
    """A later pass. With `remember`, `parts` holds those of the tensors that are kept, so that a candidate can be carried on."""

    def __init__(
        self, module: nn.Module, trace: ReplayPlan, kept: Kept, groups: Sequence[Group], *, remember: bool = False
    ) -> None:
        super().__init__(module, trace.layout)
        self.parts: dict[int, Region] = {}
        self._remember = remember
        self._trace, self._kept, self._groups = trace, kept, groups
        self._places = [place for place, group in enumerate(groups) for _ in range(group.rows.stop - group.rows.start)]
        self._shares: list[float | None] = []

    def begin(self, rectangles: Tensor) -> Tensor:
        """A stand-in for images of which these rectangles `[r, c, h, w]` have changed."""
        return self._stand_in(rectangles, *self.layout.spans([group.corner for group in self._groups]), PLANE)

    def end(self, found: Tensor) -> Tensor:
        """The network's answer, with all its values."""
        part = self._known.get(self._current(found))
        if self.calls != len(self._trace.steps):
            raise Diverged(f"expected {len(self._trace.steps)} operations, as on the clean images, got {self.calls}")
        return self._current(found) if part is None else self.whole(part, found)

    def note(self, call: TracedCall, local: RegionResult | None) -> None:
        """The same as in the first pass, or this one cannot go on."""
        step, numbers = self._step(), tuple(part.number for part in call.parts)
        same = step is not None and step.func == call.func and step.numbers == numbers and (step.share is None) == (local is None)
        if not same:
            raise Diverged(f"expected the operations that ran on the clean images, got {operation_name(call.func)}")
        self._shares.append(None if local is None else local.share)

    def takes(self, local: RegionResult) -> bool:
        """Where the first pass did."""
        step = self._step()
        return step is not None and step.share is not None

    @property
    def share(self) -> float:
        """Of the network's floating-point operations, those that a row cost."""
        return self._trace.cost(self._shares)

    def _step(self) -> ReplayStep | None:
        return self._trace.steps[self.calls] if self.calls < len(self._trace.steps) else None

    def layout_of(self, call: TracedCall) -> Any:
        """That of the part."""
        return call.run(*(part.data for part in call.parts if part.data is not None))

    def compute(self, call: TracedCall, local: RegionResult, tensors: Mapping[int, Tensor]) -> Any:
        """On windows around the parts."""
        if local.joins is not None:
            return self._stand_in(self._joined(local.windows, local.joins), local.y, local.x, local.axes)
        windows = [self._window(window) for window in local.windows]
        if local.written is not None and local.written.number in self.parts:
            windows = [window.clone() for window in windows]
        found = local.run(*windows, self._places) if local.placed else local.run(*windows)
        return mapped(lambda data: self._stand_in(data, local.y, local.x, local.axes, shared=local.shared), found)

    def whole(self, part: Region, tensor: Tensor) -> Tensor:
        """The part among what was kept."""
        if part.whole is None:
            y, x = (CellRange((0,) * len(span.first), span.whole) for span in (part.y, part.x))
            part.whole = self._window(InputWindow(part, y, x))
        return part.whole

    def made(self, part: Region, data: Tensor) -> None:
        """After a part was computed."""
        if self._remember and part.number in self._kept:
            self.parts[part.number] = part

    def _stand_in(self, data: Tensor, y: AxisInterval, x: AxisInterval, axes: Axes, *, shared: bool = False) -> Tensor:
        shape = list(data.shape)
        shape[axes.y], shape[axes.x] = y.whole, x.whole
        found = stand_in(data, shape)
        part = self._known[found] = self._part(y, x, axes, stand_in(data, shape), data, shared=shared)
        self.made(part, data)
        return found

    def _window(self, window: InputWindow) -> Tensor:
        """CellRange around the part from what was kept, the part from the candidates."""
        data = _data(window.part)
        if window.is_part:
            return data
        found = empty_window(window, data)
        self._fill(found, window)
        return found

    def _joined(self, windows: Sequence[InputWindow], axis: int) -> Tensor:
        """The windows one after the other, each written where it belongs."""
        sizes = [_data(window.part).shape[axis] for window in windows]
        found = empty_window(windows[0], _data(windows[0].part), {axis: sum(sizes)})
        for window, place in zip(windows, torch.split(found, sizes, axis), strict=True):
            if window.is_part:
                place.copy_(_data(window.part))
            else:
                self._fill(place, window)
        return found

    def _fill(self, found: Tensor, window: InputWindow) -> None:
        data, around = _data(window.part), self._kept.get(window.part.number)
        if around is None:
            raise Diverged(f"expected the tensor that {window.part.number} others were made before, got none that was kept")
        for place, group in enumerate(self._groups):
            fill(found[group.rows], window, data[group.rows], around[group.image], place)


class Renewal(Replay):
    """A pass of one row an image, which become the images that are kept; it ends by `Renewed` with the last tensor of these."""

    def __init__(self, module: nn.Module, trace: ReplayPlan, kept: Kept, groups: Sequence[Group]) -> None:
        super().__init__(module, trace, kept, groups)
        self._waiting = set(kept)

    def made(self, part: Region, data: Tensor) -> None:
        """Write it where it belongs."""
        if part.number in self._waiting:
            for group in self._groups:
                carry_on(self._kept, {part.number: part}, self._groups, group.image, group.rows.start)
            self._waiting.remove(part.number)
            if not self._waiting:
                raise Renewed


def carry_on(kept: Kept, parts: Mapping[int, Region], groups: Sequence[Group], image: int, row: int) -> None:
    """Write the parts of one row of a pass into what is kept of its image."""
    place = next(place for place, group in enumerate(groups) if group.image == image)
    for number, part in parts.items():
        if part.data is not None:
            cells(kept[number][image], part, place)[...] = part.data[row]


def _data(part: Region) -> Tensor:
    if part.data is None:
        raise Diverged("expected a part with values")
    return part.data


def stand_in(like: Tensor, shape: Sequence[int]) -> Tensor:
    """A tensor of that shape without values of its own: all are NaN, so that none goes unnoticed."""
    return torch.full((), torch.nan, dtype=like.dtype, device=like.device).expand(tuple(shape))
