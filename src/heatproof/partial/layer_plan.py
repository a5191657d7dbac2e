"""The plan of passes that begin at a layer: which operations come after it, and what these read of what came before.

An operation comes after the layer if a change of the layer's activation can reach one of its arguments. All others are not computed
again. A tensor that was made before and that an operation after the layer reads, as a skip connection does, is kept.

The plan holds shapes and functions, and no values. Shapes before the layer are needed for any number of images, since networks
read them. Each length grows by the same amount with every image; two recordings, of one image and of two, say by how much.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from heatproof.partial.flops import FlopCount
from heatproof.partial.plan import ReplayMismatch
from heatproof.tracing.capture import Site
from heatproof.tracing.catalogue import MEMORY_LAYOUT, METADATA, overwrites
from heatproof.tracing.layer_trace import first_tensor, with_first_tensor
from heatproof.tracing.signatures import operation_name
from heatproof.tracing.tracer import Tracer, leaves, mapped


@dataclass(frozen=True)
class TensorSpec:
    """What a tensor is, without its values."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device

    @classmethod
    def of(cls, tensor: Tensor) -> "TensorSpec":
        """Return the spec of a tensor."""
        return cls(tuple(tensor.shape), tensor.dtype, tensor.device)


@dataclass(frozen=True)
class GrowingSpec:
    """What a tensor is for any number of images.

    one     the tensor for one image.
    growth  by how much each of its lengths grows with every further image.
    """

    one: TensorSpec
    growth: tuple[int, ...]

    def shape(self, images: int) -> tuple[int, ...]:
        """Return the shape for a number of images."""
        return tuple(length + (images - 1) * more for length, more in zip(self.one.shape, self.growth, strict=True))

    @property
    def axis(self) -> int | None:
        """The axis along which the images lie, one after the other; None if there is no such axis."""
        growing = [axis for axis, more in enumerate(self.growth) if more]
        whole = len(growing) == 1 and self.growth[growing[0]] == self.one.shape[growing[0]]
        return growing[0] if whole else None


class RecordedStep(NamedTuple):
    """One operation of one recorded pass.

    func     the torch function.
    after    whether it comes after the layer.
    reads    for each tensor among its arguments that depends on the images: the key of the kept tensor, or None where it comes
             after the layer. Empty for an operation before the layer.
    results  what it returned, a `TensorSpec` in place of each tensor; None after the layer.
    """

    func: Callable[..., Any]
    after: bool
    reads: tuple[int | None, ...]
    results: Any


class LayerStep(NamedTuple):
    """One operation of the plan: as a `RecordedStep`, with a `GrowingSpec` in place of each tensor that it returns."""

    func: Callable[..., Any]
    after: bool
    reads: tuple[int | None, ...]
    results: Any


@dataclass(frozen=True)
class LayerPlan:
    """The operations of a network, in their order, and what must be kept for passes that begin at a layer.

    steps       the operations on tensors that depend on the images.
    kept        by its key, what a kept tensor is.
    activation  what the layer returns first.
    share       the share of the network's floating-point operations that come after the layer.
    """

    steps: Sequence[LayerStep]
    kept: Sequence[GrowingSpec]
    activation: GrowingSpec
    share: float

    @property
    def kept_bytes(self) -> int:
        """The bytes that are kept of one image."""
        specs = [spec.one for spec in (*self.kept, self.activation)]
        return sum(torch.Size(spec.shape).numel() * spec.dtype.itemsize for spec in specs)


class _Origin(NamedTuple):
    """Of a tensor that depends on the images: whether it comes after the layer, and a number for its present values."""

    after: bool
    number: int


class LayerRecording(Tracer):
    """Records one pass of some images: its steps and, if asked to, the tensors that passes from the layer on will read.

    Args:
        module: the network, whose operations are traced.
        site: the layer.
        keep: whether values are kept.

    Raises:
        ModelError: A part of the network hides its operations.
    """

    def __init__(self, module: nn.Module, site: Site, *, keep: bool = False) -> None:
        super().__init__(module)
        self.steps: list[RecordedStep] = []
        self.kept: list[TensorSpec] = []
        self.values: list[Tensor] = []
        self.activation: Tensor | None = None
        self.activation_spec: TensorSpec | None = None
        self.flops = {False: 0, True: 0}  # of the operations after the layer (True), and of those before
        self._module, self._site, self._keep = module, site, keep
        self._origins: Any = WeakIdKeyDictionary()
        self._numbers = self._writes = self._calls = 0
        self._keys: dict[tuple[int, int], int] = {}

    def run(self, forward: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
        """Run the network on images, which it may overwrite, and return its outputs."""
        self._note(images, after=False)
        handle = self._module.get_submodule(self._site.name).register_forward_hook(lambda _, __, output: self._return(output))
        try:
            with self:
                outputs = forward(images)
        finally:
            handle.remove()
        self._origins.clear()
        return outputs

    def is_tracked(self, tensor: Tensor) -> bool:
        """Whether the tensor depends on the images."""
        return tensor in self._origins

    def intercept(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], tracked: Sequence[Tensor]) -> Any:
        """Compute an operation, and note its step."""
        if func in METADATA:
            return func(*args, **kwargs)
        after = any(self._origins[tensor].after for tensor in tracked)
        reads = tuple(map(self._read, tracked)) if after else ()
        if self._keep:
            results = func(*args, **kwargs)
        else:
            with FlopCount() as counted:
                results = func(*args, **kwargs)
            self.flops[after] += counted.flops
        self.steps.append(RecordedStep(func, after, reads, None if after else mapped(_spec, results)))
        for leaf in leaves(results):
            if isinstance(leaf, Tensor):
                self._note(leaf, after)
        if (first := overwrites(func, args, kwargs)) is not None:
            self._writes += 1
            for written in (first, first._base):
                if written is not None:
                    self._note(written, after or (written in self._origins and self._origins[written].after))
        return results

    def _note(self, tensor: Tensor, after: bool) -> None:
        self._origins[tensor] = _Origin(after, self._numbers)
        self._numbers += 1

    def _read(self, tensor: Tensor) -> int | None:
        """Return the key under which a tensor is kept, now that an operation after the layer reads it; None if it is after."""
        origin = self._origins[tensor]
        if origin.after:
            return None
        values = origin.number, self._writes  # after a write, what was kept of any tensor may be out of date
        if values not in self._keys:
            self._keys[values] = len(self.kept)
            self.kept.append(TensorSpec.of(tensor))
            if self._keep:
                self.values.append(tensor.clone())
        return self._keys[values]

    def _return(self, output: Any) -> Any:
        """Note what the layer returned, and return a copy for the network to go on with, which comes after the layer."""
        self._calls += 1
        tensor = first_tensor(output)
        if self._calls != self._site.call or tensor is None:
            return output
        with torch._C.DisableTorchFunction():
            self.activation_spec = TensorSpec.of(tensor)
            self.activation = tensor.clone() if self._keep else None
            copy = tensor.clone()
        self._note(copy, after=True)
        return with_first_tensor(output, copy)


def _spec(leaf: Any) -> Any:
    return TensorSpec.of(leaf) if isinstance(leaf, Tensor) else leaf


def layer_plan(one: LayerRecording, two: LayerRecording) -> LayerPlan:
    """Return the plan that the recordings of one image and of two images give.

    Args:
        one: the recording of one image.
        two: the recording of two images.

    Raises:
        ReplayMismatch: The recordings differ in their operations; the layer did not run; or what the rest needs is not known for
            other numbers of images.
    """
    if len(one.steps) != len(two.steps):
        raise ReplayMismatch(f"{len(one.steps)} operations ran on one image, and {len(two.steps)} on two")
    if one.activation_spec is None or two.activation_spec is None:
        raise ReplayMismatch("the layer did not run as often as when it was chosen")
    steps = [_step(a, b) for a, b in zip(one.steps, two.steps, strict=True)]
    kept = [_growing(a, b) for a, b in zip(one.kept, two.kept, strict=True)]
    activation = _growing(one.activation_spec, two.activation_spec)
    if any(spec.axis is None for spec in (*kept, activation)):
        raise ReplayMismatch("a tensor that the rest of the network reads does not hold one image after the other")
    total = sum(one.flops.values())
    return LayerPlan(steps, kept, activation, one.flops[True] / total if total else 1.0)


def _step(one: RecordedStep, two: RecordedStep) -> LayerStep:
    if (one.func, one.after, one.reads) != (two.func, two.after, two.reads):
        raise ReplayMismatch(f"{operation_name(two.func)} ran on two images where {operation_name(one.func)} ran on one")
    if one.after:
        return LayerStep(one.func, True, one.reads, None)
    a, b = leaves(one.results), leaves(two.results)
    if len(a) != len(b):
        raise ReplayMismatch(f"{operation_name(one.func)} returned {len(b)} results for two images, and {len(a)} for one")
    pairs = iter(zip(a, b, strict=True))
    return LayerStep(one.func, False, (), mapped(lambda _: _result(one.func, *next(pairs)), one.results))


def _result(func: Callable[..., Any], one: Any, two: Any) -> Any:
    if isinstance(one, TensorSpec) and isinstance(two, TensorSpec):
        return _growing(one, two)
    if (one is None and two is None) or (func in MEMORY_LAYOUT and one == two):
        return one
    raise ReplayMismatch(f"{operation_name(func)} reads values of what is computed before the layer")


def _growing(one: TensorSpec, two: TensorSpec) -> GrowingSpec:
    if len(one.shape) != len(two.shape) or (one.dtype, one.device) != (two.dtype, two.device):
        raise ReplayMismatch(f"a tensor {list(one.shape)} of one image is {list(two.shape)} of two")
    return GrowingSpec(one, tuple(b - a for a, b in zip(one.shape, two.shape, strict=True)))
