"""What a network does again after one rectangle of its input has changed: planned once, checked, and kept for images.

The plan comes from one clean row (see `partial/replay.py`): which operations are done on parts, and which share of the network's
floating-point operations a candidate then costs. It is taken if it spares more than it costs, and if the outputs are those of whole
rows. Memory decides how far it goes: where what must be kept of an image takes more than its share, operations are done as a whole
from an earlier one on.
"""

import weakref
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from heatproof.core.errors import ModelError
from heatproof.models.model import Model
from heatproof.partial.plan import Kept, RegionLayout, ReplayPlan
from heatproof.partial.region import Region
from heatproof.partial.replay import Group, Recording, Renewal, Renewed, Replay, carry_on
from heatproof.passes.counting import record_rows
from heatproof.passes.memory import ENOUGH_ROWS, in_chunks, memory_of
from heatproof.tracing.capture import is_compiled, named_network

MOST = 0.9
"""Share of a result above which it is computed as a whole, measured on five networks (docs/project/measurements/incremental.md)."""
STEP = 6e6
"""Floating-point operations in the time of one step's bookkeeping, 60 µs at 100 GFLOP/s (the same page)."""
KEPT = 0.5
"""Share of the model's memory for what is kept; the rest is for rows."""
ROUNDING = 1e3
"""Largest difference of outputs that is taken for rounding, in units of the type's precision relative to the largest output."""

Size = tuple[int, int]


@dataclass(frozen=True)
class Incremental:
    """How rows with one changed rectangle are computed.

    trace   the steps; None where rows pass as a whole.
    share   of the network's floating-point operations, the most that a candidate costs.
    held    bytes that are kept of an image.
    carried  bytes of a candidate that become part of them if it is carried on.
    reason  why rows pass as a whole; empty if they do not.
    """

    trace: ReplayPlan | None
    share: float = 1.0
    held: int = 0
    carried: int = 0
    reason: str = ""

    def pays(self, images: int, candidates: int, times: int) -> bool:
        """Whether it spares more than it costs: so many images, each with so many candidates at a time, so many times.

        It costs a row an image at first, the steps of every pass, and each time another pass for what is carried on, unless that is
        remembered.
        """
        if self.trace is None:
            return False
        row, carried = self.trace.total, not self.remembers(candidates)
        passes = (images if candidates >= ENOUGH_ROWS else 1) + carried
        spared = images * row * (candidates * (1 - self.share) - carried * self.share) - passes * len(self.trace.steps) * STEP
        return times * spared > images * row

    def work(self, images: int, candidates: int, times: int) -> float:
        """Forward rows in work, at most, of so many images: a row of which a part is computed counts as that part."""
        if not self.pays(images, candidates, times):
            return images * candidates * times
        carried = 0 if self.remembers(candidates) else times - 1
        return images * (1 + (candidates * times + carried) * self.share)

    def remembers(self, candidates: int) -> bool:
        """Whether all parts of so many candidates take no more memory than what is kept of their image."""
        return candidates * self.carried <= self.held


WHOLE = Incremental(None)
_plans: "weakref.WeakKeyDictionary[nn.Module, dict[tuple[Any, ...], Incremental]]" = weakref.WeakKeyDictionary()


def incremental(model: Model, images: Tensor, size: Size) -> Incremental:
    """The plan for rectangles of that height and width in images shaped as these; made once for a network.

    Cost: when it is made, a few rows that no counter sees.
    """
    if not model.incremental:
        return replace(WHOLE, reason="it was switched off")
    if images.ndim != 4 or size[0] > images.shape[2] or size[1] > images.shape[3]:
        return replace(WHOLE, reason="there is no such rectangle")
    known = _plans.setdefault(model.engine or model.module, {})
    key = (size, images.shape[1:], images.dtype, images.device, model.memory)
    if key not in known:
        try:
            known[key] = _planned(model, images[:1], size)
        except ModelError as error:
            known[key] = replace(WHOLE, reason=str(error))
    return known[key]


def forget(model: Model, reason: str = "") -> None:
    """Plan anew for this network, or, for a reason, let all its rows pass as a whole from now on."""
    known = _plans.setdefault(model.engine or model.module, {})
    for key in known:
        known[key] = replace(WHOLE, reason=reason)
    if not reason:
        known.clear()


def images_at_once(model: Model, images: Tensor, size: Size) -> int:
    """How many images' tensors can be kept at once, with as much for candidates."""
    plan = incremental(model, images, size)
    return max(1, int(KEPT * memory_of(model, images) / (2 * plan.held))) if plan.held else len(images)


@dataclass(frozen=True)
class _Remembered:
    """Rows of one pass, and their parts of the tensors that are kept."""

    rows: range
    groups: list[Group]
    parts: dict[int, Region]


class KeptImages:
    """What is kept of images, and rows computed with it: outputs of images but for one rectangle each.

    Cost: when it is made, a row an image, which answers nothing.
    """

    def __init__(self, model: Model, images: Tensor, plan: Incremental, trace: ReplayPlan, kind: str) -> None:
        self.tensors: Kept = {}
        self._model, self._like, self._plan, self._trace, self._kind = model, images[:1], plan, trace, kind
        self._remembered: list[_Remembered] = []

        def compute(rows: range) -> Kept:
            return _recorded(model, images[_of(rows)], trace.layout).kept

        for rows, found in in_chunks(model, images, len(images), compute, f"recording for {kind}"):
            for number, tensors in found.items():
                self.tensors.setdefault(number, []).extend(tensors)
            record_rows(forward=0, equivalent=len(rows))

    def outputs(self, corner: Tensor, rectangles: Tensor) -> Tensor:
        """Outputs `[b p, k]` of candidates `[b, p, c, h, w]`.

        Raises:
            Diverged: The network did not do what it did on the clean images.
        """
        b, p = rectangles.shape[:2]
        alone = p >= ENOUGH_ROWS  # enough to fill a chunk: then windows are no larger than this image's rectangle needs
        parts = [range(i * p, (i + 1) * p) for i in range(b)] if alone else [range(b * p)]
        self._remembered = []
        return torch.cat([self._outputs(part, corner, rectangles.flatten(0, 1), p) for part in parts])

    def _outputs(self, part: range, corner: Tensor, all_rows: Tensor, p: int) -> Tensor:
        remember = self._plan.remembers(p)

        def compute(rows: range) -> tuple[Tensor, float, _Remembered]:
            at = range(part.start + rows.start, part.start + rows.stop)
            groups = _groups(at, p, corner)
            with torch.inference_mode(), self._model.running():
                following = Replay(named_network(self._model), self._trace, self.tensors, groups, remember=remember)
                with following:
                    outputs = self._model.outputs(following.begin(all_rows[_of(at)].clone()))
                return following.end(outputs).clone(), following.share, _Remembered(at, groups, following.parts)

        found = []
        for rows, (outputs, share, remembered) in in_chunks(self._model, self._like, len(part), compute, self._kind):
            record_rows(forward=len(rows), equivalent=share * len(rows))
            found.append(outputs)
            if remember:
                self._remembered.append(remembered)
        return torch.cat(found)

    def keep(self, corner: Tensor, rectangles: Tensor, candidate: Tensor) -> None:
        """Keep one of each image's candidates in its place.

        Cost: nothing where the last outputs are remembered, else a row an image, as far as the last tensor that is kept.

        Raises:
            Diverged: The network did not do what it did on the clean images.
        """
        b, p = rectangles.shape[:2]
        if not self._plan.remembers(p):
            return self._renew(corner, rectangles[torch.arange(b), candidate])
        wanted = [image * p + chosen for image, chosen in enumerate(candidate.tolist())]
        with torch.inference_mode():
            for seen in self._remembered:
                for image, row in enumerate(wanted):
                    if row in seen.rows:
                        carry_on(self.tensors, seen.parts, seen.groups, image, row - seen.rows.start)
        self._remembered = []
        return None

    def _renew(self, corner: Tensor, rectangles: Tensor) -> None:
        def compute(rows: range) -> float:
            with torch.inference_mode(), self._model.running():
                following = Renewal(named_network(self._model), self._trace, self.tensors, _groups(rows, 1, corner))
                with suppress(Renewed), following:
                    self._model.outputs(following.begin(rectangles[_of(rows)].clone()))
                return following.share

        for rows, share in in_chunks(self._model, self._like, len(rectangles), compute, self._kind):
            record_rows(forward=0, equivalent=share * len(rows))


def _of(rows: range) -> slice:
    return slice(rows.start, rows.stop)


def _groups(rows: range, candidates: int, corner: Tensor) -> list[Group]:
    """Which of a chunk's rows belong to which image, of which each has so many."""
    found = []
    for image in range(rows.start // candidates, (rows.stop - 1) // candidates + 1):
        first, after = max(image * candidates, rows.start), min((image + 1) * candidates, rows.stop)
        i, j = corner[image].tolist()
        found.append(Group(slice(first - rows.start, after - rows.start), image, (i, j)))
    return found


def _recorded(model: Model, images: Tensor, layout: RegionLayout, flops: FlopCounterMode | None = None) -> Recording:
    with torch.inference_mode(), model.running():
        following = Recording(named_network(model), layout, flops)
        rows = images.clone()
        following.begin(rows)
        with following:
            model.outputs(rows)
        following.end()
    return following


def _planned(model: Model, image: Tensor, size: Size) -> Incremental:
    if is_compiled(model):
        return replace(WHOLE, reason="compiled operations cannot be followed")
    space = (image.shape[2], image.shape[3])
    layout = RegionLayout(size, space, MOST)
    recording = _counted(model, image, layout)
    budget, calls = KEPT * memory_of(model, image), len(recording.trace.steps)
    if recording.trace.held(calls) > budget:
        while calls > 0 and recording.trace.held(calls) > budget:
            calls -= 1
        recording = _counted(model, image, replace(layout, calls=calls))
    trace = recording.trace
    if all(step.share is None for step in trace.steps) or trace.share == 1:
        return replace(WHOLE, reason="nothing would be spared")
    if difference := _difference(model, image, recording, size):
        return replace(WHOLE, reason=difference)
    held = sum(tensor.nbytes for tensors in recording.kept.values() for tensor in tensors)
    return Incremental(trace, trace.share, held, sum(trace.uses[number].part for number in recording.kept))


def _counted(model: Model, image: Tensor, layout: RegionLayout) -> Recording:
    with FlopCounterMode(display=False) as flops:
        return _recorded(model, image, layout, flops)


def _difference(model: Model, image: Tensor, recording: Recording, size: Size) -> str:
    """Why outputs are not those of whole rows; empty if they are."""
    (h, w), (height, width) = size, image.shape[2:]
    places = [(0, 0), ((height - h) // 2, (width - w) // 2), (height - h, width - w)]
    lower, upper = model.bounds.like(image)
    far = torch.where(image < (lower + upper) / 2, upper, lower)  # from every value
    rows = image.expand(len(places), -1, -1, -1).clone()
    for row, (i, j) in zip(rows, places, strict=True):
        row[:, i : i + h, j : j + w] = far[0, :, i : i + h, j : j + w]
    rectangles = torch.stack([row[:, i : i + h, j : j + w] for row, (i, j) in zip(rows, places, strict=True)])
    with torch.inference_mode(), model.running():
        whole = model.outputs(rows).clone()
    groups = [Group(slice(k, k + 1), 0, place) for k, place in enumerate(places)]
    with torch.inference_mode(), model.running():
        following = Replay(named_network(model), recording.trace, recording.kept, groups)
        with following:
            outputs = model.outputs(following.begin(rectangles))
        found = following.end(outputs)
    gap, most = float((found - whole).abs().max()), float(whole.abs().max())
    precision = max(torch.finfo(tensor.dtype).eps for tensor in _floats(model, image))
    allowed = min(ROUNDING * precision, 0.1) * most
    return "" if gap <= allowed else f"outputs would differ by {gap:.2g}, more than rounding explains ({allowed:.2g})"


def _floats(model: Model, image: Tensor) -> list[Tensor]:
    network = model.engine or model.module
    return [image, *(p for p in network.parameters() if p.is_floating_point())]
