"""The decision whether images with one replaced rectangle are computed by partial recomputation, and the plan for it.

The plan comes from one recorded pass of a clean image (`partial/record.py`): which operations are computed on affected regions
only, and which share of the network's floating-point operations one candidate then takes. It is used where it saves more than it
costs and where the outputs equal those of full forward passes. Memory limits how far it goes: where the activations of an image
that must be cached exceed their share of the memory, operations are computed in full from an earlier one on.
"""

import weakref
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from heatproof.core.errors import ModelError
from heatproof.models.model import Model
from heatproof.numerics.no_gradients import no_gradients
from heatproof.partial.flops import FlopCount
from heatproof.partial.gather import CandidateGroup
from heatproof.partial.plan import RegionLayout, ReplayPlan
from heatproof.partial.record import Recorded, record
from heatproof.partial.replay import Replay
from heatproof.passes.memory import ENOUGH_ROWS, memory_of
from heatproof.tracing.capture import is_compiled, named_network

LARGEST_SHARE = 0.7
"""The affected share of a result, on average over all places, above which it is computed in full, as measured
(docs/project/measurements/incremental.md)."""
STEP_FLOPS = 6e6
"""The floating-point operations that take as long as the bookkeeping of one step, 60 µs at 100 GFLOP/s (the same page)."""
SHAPE_FLOPS = 2e7
"""Likewise those that take as long as a step at a shape that is new, for which a convolution is compiled anew (the same page)."""
CACHE_SHARE = 0.5
"""The share of the model's memory that cached activations may take; the rest is for the passes themselves."""
ROUNDING = 1e3
"""The largest difference of outputs that counts as rounding, in units of the type's precision relative to the largest output."""

Size = tuple[int, ...]
"""The size of a rectangle along each axis: height and width for an image, which alone partial recomputation is for."""


@dataclass(frozen=True)
class IncrementalPlan:
    """How images with one replaced rectangle are computed.

    replay           the recorded steps; None where full forward passes are used.
    share            the largest share of the network's floating-point operations that one candidate takes.
    cached_bytes     bytes of activations that are cached for one image.
    candidate_bytes  bytes of one candidate's regions of the cached activations, which are written there if it becomes the image.
    reason           why full forward passes are used; empty if they are not.
    """

    replay: ReplayPlan | None
    share: float = 1.0
    cached_bytes: int = 0
    candidate_bytes: int = 0
    reason: str = ""

    def pays(self, images: int, candidates: int, times: int) -> bool:
        """Return whether partial recomputation saves more than it costs.

        It costs one full pass per image at first, and the bookkeeping of the steps in every pass. Each time a candidate becomes
        the image, it costs one more partial pass, unless the candidates' regions are collected.

        Args:
            images: how many images there are.
            candidates: how many candidates each image has at a time.
            times: how often there are so many candidates.
        """
        if self.replay is None:
            return False
        flops, updates = self.replay.total_flops, not self.collects_regions(candidates)
        passes = (images if candidates >= ENOUGH_ROWS else 1) + updates
        bookkeeping = passes * len(self.replay.steps) * STEP_FLOPS
        saved = images * flops * (candidates * (1 - self.share) - updates * self.share) - bookkeeping
        return times * saved > images * flops

    def work(self, images: int, candidates: int, times: int) -> float:
        """Return the work, at most, in full forward passes; the arguments are those of `pays`."""
        if not self.pays(images, candidates, times):
            return images * candidates * times
        updates = 0 if self.collects_regions(candidates) else times - 1
        return images * (1 + (candidates * times + updates) * self.share)

    def collects_regions(self, candidates: int) -> bool:
        """Return whether the regions of so many candidates take no more memory than the cached activations of their image."""
        return candidates * self.candidate_bytes <= self.cached_bytes


FULL_PASSES = IncrementalPlan(None)
_plans: "weakref.WeakKeyDictionary[nn.Module, dict[tuple[Any, ...], IncrementalPlan]]" = weakref.WeakKeyDictionary()


def incremental(model: Model, images: Tensor, size: Size) -> IncrementalPlan:
    """Return the plan for images in which one rectangle is replaced; it is made once for a network and the shapes.

    Cost: when it is made, about seven forward passes, which are not counted.

    Args:
        model: the network; its `incremental` switches partial recomputation off.
        images: a batch `[b, c, …]`, of which the first image is used.
        size: height and width of the rectangle.

    Returns:
        The plan; its `reason` says why full forward passes are used, if they are.

    Example:
        >>> import torch
        >>> from heatproof.models import Bounds, Model
        >>> from heatproof.passes.incremental import incremental
        >>> convolutions = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
        >>> plan = incremental(Model(convolutions.eval(), Bounds.of(0, 1, 1)), torch.rand(1, 1, 40, 40), (5, 5))
        >>> plan.share < 0.1
        True
    """
    if not model.incremental:
        return replace(FULL_PASSES, reason="it was switched off")
    if images.ndim != 4:
        return replace(FULL_PASSES, reason="the input has no rows and columns")
    height, width = size
    if height > images.shape[2] or width > images.shape[3]:
        return replace(FULL_PASSES, reason="there is no such rectangle")
    plans = _plans.setdefault(model.engine or model.module, {})
    key = (size, images.shape[1:], images.dtype, images.device, model.memory)
    if key not in plans:
        try:
            plans[key] = _planned(model, images[:1], (height, width))
        except ModelError as error:
            plans[key] = replace(FULL_PASSES, reason=str(error))
    return plans[key]


def forget_plans(model: Model) -> None:
    """Forget all plans of this network, so that new ones are made."""
    _plans.pop(model.engine or model.module, None)


def use_full_passes(model: Model, reason: str) -> None:
    """Use full forward passes for this network from now on, wherever there was a plan, for a reason that the plan then states."""
    plans = _plans.setdefault(model.engine or model.module, {})
    plans.update(dict.fromkeys(plans, replace(FULL_PASSES, reason=reason)))


def images_at_once(model: Model, images: Tensor, size: Size) -> int:
    """Return for how many images activations can be cached at once, with as much memory for their candidates."""
    plan = incremental(model, images, size)
    return max(1, int(CACHE_SHARE * memory_of(model, images) / (2 * plan.cached_bytes))) if plan.cached_bytes else len(images)


def recorded(model: Model, images: Tensor, layout: RegionLayout, flops: FlopCount | None = None) -> Recorded:
    """Return the plan and the cached activations of one recorded pass of clean images; no counter counts it."""
    with no_gradients(), model.running():
        return record(named_network(model), model.outputs, images.clone(), layout, flops)


def _planned(model: Model, image: Tensor, size: tuple[int, int]) -> IncrementalPlan:
    if is_compiled(model):
        return replace(FULL_PASSES, reason="compiled operations cannot be traced")
    layout = RegionLayout(size, (image.shape[2], image.shape[3]), LARGEST_SHARE)
    plan, cached = _counted(model, image, layout)
    budget, full_from = CACHE_SHARE * memory_of(model, image), len(plan.steps)
    if plan.cached_bytes(full_from) > budget:
        while full_from > 0 and plan.cached_bytes(full_from) > budget:
            full_from -= 1
        plan, cached = _counted(model, image, replace(layout, full_from=full_from))
    if all(step.share is None for step in plan.steps) or plan.share == 1:
        return replace(FULL_PASSES, reason="nothing would be saved")
    if difference := _difference(model, image, Recorded(plan, cached), size):
        return replace(FULL_PASSES, reason=difference)
    cached_bytes = sum(tensor.nbytes for tensors in cached.values() for tensor in tensors)
    return IncrementalPlan(plan, plan.share, cached_bytes, sum(plan.uses[number].region_bytes for number in cached))


def _counted(model: Model, image: Tensor, layout: RegionLayout) -> Recorded:
    with FlopCount() as flops:
        return recorded(model, image, layout, flops)


def _difference(model: Model, image: Tensor, recording: Recorded, size: tuple[int, int]) -> str:
    """Return how the outputs at three places differ from those of full forward passes; empty if they are equal up to rounding."""
    (h, w), (height, width) = size, image.shape[2:]
    corners = [(0, 0), ((height - h) // 2, (width - w) // 2), (height - h, width - w)]
    lower, upper = model.bounds.like(image)
    far = torch.where(image < (lower + upper) / 2, upper, lower)  # the bound farther from each value
    candidates = image.expand(len(corners), -1, -1, -1).clone()
    for candidate, (i, j) in zip(candidates, corners, strict=True):
        candidate[:, i : i + h, j : j + w] = far[0, :, i : i + h, j : j + w]
    rectangles = torch.stack([far[0, :, i : i + h, j : j + w] for i, j in corners])
    groups = [CandidateGroup(slice(k, k + 1), 0, corner) for k, corner in enumerate(corners)]
    with no_gradients(), model.running():
        full = model.outputs(candidates).clone()
        partial = Replay(recording.plan, recording.cached, groups).outputs(named_network(model), model.outputs, rectangles)
    return beyond_rounding(model, partial, full)


def beyond_rounding(model: Model, partial: Tensor, full: Tensor) -> str:
    """Return how outputs differ from those of full forward passes; empty if they are equal up to rounding."""
    neither = partial.isnan() & full.isnan()  # as outside the domain of a logarithm
    partial, full = partial.masked_fill(neither, 0), full.masked_fill(neither, 0)
    gap, largest = float((partial - full).abs().max()), float(full.abs().max())
    precision = max(torch.finfo(tensor.dtype).eps for tensor in _floats(model, full))
    allowed = min(ROUNDING * precision, 0.1) * largest
    return "" if gap <= allowed else f"outputs would differ by {gap:.2g}, more than rounding explains ({allowed:.2g})"


def _floats(model: Model, outputs: Tensor) -> list[Tensor]:
    network = model.engine or model.module
    return [outputs, *(p for p in network.parameters() if p.is_floating_point())]
