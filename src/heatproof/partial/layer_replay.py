"""Passes that begin at a layer: its activation is changed, and only the operations after it are computed.

The network's own code runs from the start, on as many rows as there are changed activations. Before the layer, an operation
returns tensors of the right shape that hold no values. At the layer, the changed activations take the place of what it returns. An
operation after it that reads a tensor from before gets the kept one, expanded to the rows: a view where they are all of one image.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from heatproof.partial.layer_plan import GrowingSpec, LayerPlan, LayerRecording, LayerStep
from heatproof.partial.plan import ReplayMismatch
from heatproof.tracing.capture import Site
from heatproof.tracing.catalogue import METADATA, overwrites
from heatproof.tracing.layer_trace import first_tensor, with_first_tensor
from heatproof.tracing.signatures import operation_name
from heatproof.tracing.tracer import Tracer, leaves, mapped


class KeptActivations(NamedTuple):
    """What is kept of one image, as of a batch of one.

    activation  what the layer returned.
    read        the tensors that operations after the layer read, by their key.
    """

    activation: Tensor
    read: tuple[Tensor, ...]


def split_by_image(plan: LayerPlan, recording: LayerRecording, images: int) -> tuple[KeptActivations, ...]:
    """Return what a recording has kept, for each of its images.

    Raises:
        ReplayMismatch: The pass was not as planned.
    """
    steps = [(step.func, step.after, step.reads) for step in recording.steps]
    if steps != [(step.func, step.after, step.reads) for step in plan.steps] or recording.activation is None:
        raise ReplayMismatch("other operations ran than those that were planned")
    tensors = [recording.activation, *recording.values]
    specs = [plan.activation, *plan.kept]
    if any(tuple(tensor.shape) != spec.shape(images) for tensor, spec in zip(tensors, specs, strict=True)):
        raise ReplayMismatch("a tensor has another shape than was planned")
    parts = [_split(tensor, spec, images) for tensor, spec in zip(tensors, specs, strict=True)]
    return tuple(KeptActivations(each[0], tuple(each[1:])) for each in zip(*parts, strict=True))


def _split(tensor: Tensor, spec: GrowingSpec, images: int) -> Sequence[Tensor]:
    axis = _axis(spec)
    return [tensor] if images == 1 else [part.clone() for part in torch.split(tensor, spec.one.shape[axis], axis)]


def _axis(spec: GrowingSpec) -> int:
    if spec.axis is None:
        raise ReplayMismatch("a kept tensor does not hold one image after the other")
    return spec.axis


def expanded(spec: GrowingSpec, each: Sequence[Tensor]) -> Tensor:
    """Return a kept tensor for several rows: those of each row, or for equal rows a view of one if possible."""
    axis, first = _axis(spec), each[0]
    if any(one is not first for one in each):
        return torch.cat(list(each), axis)
    if spec.one.shape[axis] == 1:
        return first.expand(*first.shape[:axis], len(each), *first.shape[axis + 1 :])
    return first.unsqueeze(axis).expand(*first.shape[:axis], len(each), *first.shape[axis:]).flatten(axis, axis + 1)


class LayerReplay(Tracer):
    """One pass from a layer on.

    Args:
        module: the network, whose operations are traced.
        site: the layer.
        plan: the plan of its operations.
        kept: what is kept of the image of each row.
    """

    def __init__(self, module: nn.Module, site: Site, plan: LayerPlan, kept: Sequence[KeptActivations]) -> None:
        super().__init__(module)
        self._module, self._site, self._plan, self._kept = module, site, plan, kept
        self._after: Any = WeakIdKeyDictionary()  # of each tensor that depends on the images: whether it comes after the layer
        self._done = self._calls = 0
        self._changed: Tensor | None = None

    def outputs(self, forward: Callable[[Tensor], Tensor], images: Tensor, change: Callable[[Tensor], None]) -> Tensor:
        """Return the outputs of the network for changed activations.

        Args:
            forward: runs the network on a batch of images.
            images: a tensor of their shape, of which no value is read.
            change: overwrites a copy of the activations, which it gets on the grid of the layer `[r, c, h, w]`.

        Raises:
            ReplayMismatch: The network did not run the planned operations.
        """
        activation = torch.cat([kept.activation for kept in self._kept], _axis(self._plan.activation))
        change(self._site.grid.of(activation))
        self._changed = activation
        self._after[images] = False
        handle = self._module.get_submodule(self._site.name).register_forward_hook(lambda _, __, output: self._return(output))
        try:
            with self:
                outputs = forward(images)
        finally:
            handle.remove()
        if self._done != len(self._plan.steps) or not self._after.get(outputs, False):
            raise ReplayMismatch("the network did not run the operations that were planned")
        self._after.clear()
        return outputs

    def is_tracked(self, tensor: Tensor) -> bool:
        """Whether the tensor depends on the images."""
        return tensor in self._after

    def intercept(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], tracked: Sequence[Tensor]) -> Any:
        """Compute an operation after the layer; of one before, return tensors without values."""
        if func in METADATA:
            return func(*args, **kwargs)
        step = self._next(func, any(self._after[tensor] for tensor in tracked))
        written = overwrites(func, args, kwargs)
        if step.after:
            return self._compute(step, args, kwargs, tracked, written)
        results = mapped(self._stand_in, step.results)
        for leaf in leaves(results):
            if isinstance(leaf, Tensor):
                self._after[leaf] = False
        if written is not None and isinstance(results, Tensor):
            self.replace_in_place(written, results)
        elif written is not None:
            self._after[written] = False
        return results

    def _next(self, func: Callable[..., Any], after: bool) -> LayerStep:
        step = self._plan.steps[self._done] if self._done < len(self._plan.steps) else None
        if step is None or step.func != func or step.after != after:
            raise ReplayMismatch(f"expected the operations that were planned, got {operation_name(func)}")
        self._done += 1
        return step

    def _compute(
        self, step: LayerStep, args: Sequence[Any], kwargs: dict[str, Any], tracked: Sequence[Tensor], written: Tensor | None
    ) -> Any:
        if len(tracked) != len(step.reads):
            raise ReplayMismatch(f"{operation_name(step.func)}: expected {len(step.reads)} tensors, got {len(tracked)}")
        values = {}
        for tensor, key in zip(tracked, step.reads, strict=True):
            if (key is None) != self._after[tensor]:
                raise ReplayMismatch(f"{operation_name(step.func)} reads other tensors than was planned")
            if key is not None:
                each = [kept.read[key] for kept in self._kept]
                value = expanded(self._plan.kept[key], each)
                values[id(tensor)] = value.clone() if tensor is written else value
        new_args, new_kwargs = mapped(lambda leaf: values.get(id(leaf), leaf), (tuple(args), kwargs))
        results = step.func(*new_args, **new_kwargs)
        for leaf in leaves(results):
            if isinstance(leaf, Tensor):
                self._after[leaf] = True
        if written is not None:
            now = values.get(id(written), written)
            for changed in (now, now._base):
                if changed is not None:
                    self._after[changed] = True
            if now is not written:
                self.replace_in_place(written, now)
        return results

    def _stand_in(self, leaf: Any) -> Any:
        if not isinstance(leaf, GrowingSpec):
            return leaf
        scalar = torch.full((), torch.nan if leaf.one.dtype.is_floating_point else 0, dtype=leaf.one.dtype, device=leaf.one.device)
        return scalar.expand(leaf.shape(len(self._kept)))

    def _return(self, output: Any) -> Any:
        """Let the changed activations take the place of what the layer returned."""
        self._calls += 1
        if self._calls != self._site.call or self._changed is None or first_tensor(output) is None:
            return output
        changed, self._changed = self._changed, None
        self._after[changed] = True
        return with_first_tensor(output, changed)
