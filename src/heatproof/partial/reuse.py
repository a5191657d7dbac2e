"""A pass that begins where it differs from an earlier one: only operations with another argument are computed.

The results of all operations of a pass are kept, in their order and with their autograd graph. A later pass of the same images,
through the same network or through a copy with other weights, gets a kept result wherever the same operation meets the same
arguments: tensors that depend on the images are the kept ones themselves, other tensors are equal in value. From the first
operation with a new weight on, everything that depends on it is computed. Nothing needs to be known of the network: where its
operations differ, they are computed.

In-place operations are computed on a copy, since what they overwrite is kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from heatproof.partial.flops import FlopCount
from heatproof.partial.plan import ReplayMismatch
from heatproof.tracing.catalogue import MEMORY_LAYOUT, METADATA, overwrites
from heatproof.tracing.signatures import operation_name
from heatproof.tracing.tracer import Tracer, leaves


@dataclass(frozen=True, eq=False)
class KeptStep:
    """One operation and its results.

    func       the torch function.
    arguments  its arguments, flat.
    versions   of each argument, how often it had been changed in place; −1 for what is no tensor.
    tracked    whether each argument depends on the images.
    results    what it returned; for a function that writes into its first argument, what took the place of that.
    graph      whether gradients were recorded.
    flops      its floating-point operations.
    """

    func: Callable[..., Any]
    arguments: Sequence[Any]
    versions: Sequence[int]
    tracked: Sequence[bool]
    results: Any
    graph: bool
    flops: int

    def is_for(self, func: Callable[..., Any], arguments: Sequence[Any]) -> bool:
        """Whether the function, called with these arguments, has these results."""
        if func != self.func or len(arguments) != len(self.arguments) or torch.is_grad_enabled() != self.graph:
            return False
        pairs = zip(arguments, self.arguments, self.versions, self.tracked, strict=True)
        return all(_same(new, old, version, tracked) for new, old, version, tracked in pairs)


def _same(new: Any, old: Any, version: int, tracked: bool) -> bool:
    if isinstance(old, slice) and isinstance(new, slice):
        parts = ((new.start, old.start), (new.stop, old.stop), (new.step, old.step))
        return all(one is two or (_is_plain(one, two) and one == two) for one, two in parts)
    if not isinstance(old, Tensor):
        return new is old or (_is_plain(new, old) and bool(new == old))
    if not isinstance(new, Tensor) or _version(old) != version:
        return False
    if new is old or tracked:
        return new is old
    alike = new.shape == old.shape and new.dtype == old.dtype and new.device == old.device and new.layout == old.layout
    return alike and new.stride() == old.stride() and torch.equal(new, old)


def _is_plain(new: Any, old: Any) -> bool:
    """Whether two values are of one type that can be compared."""
    return type(new) is type(old) and isinstance(new, bool | int | float | complex | str | torch.device)


def _version(leaf: Any) -> int:
    """How often a tensor was changed in place; always another number for inference tensors, which do not count it."""
    if not isinstance(leaf, Tensor):
        return -1
    return -2 if leaf.is_inference() else leaf._version


@dataclass(eq=False)
class KeptPass:
    """What is kept of one pass.

    images   the images that passed.
    inputs   a copy of them, with respect to which gradients are taken.
    steps    the operations.
    """

    images: Tensor
    inputs: Tensor
    steps: list[KeptStep] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """The bytes of the results."""
        tensors = [leaf for step in self.steps for leaf in leaves(step.results) if isinstance(leaf, Tensor)]
        return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}.values())


class ReusingTracer(Tracer):
    """Runs a network on images of which an earlier pass may be kept, and keeps this one in its place.

    Args:
        module: the network, whose operations are traced.
        kept: the earlier pass, which is taken apart; without steps, everything is computed.
    """

    def __init__(self, module: nn.Module, kept: KeptPass) -> None:
        super().__init__(module)
        self._kept, self._earlier = kept, dict(enumerate(kept.steps))
        self._steps: list[KeptStep] = []
        self._depends: Any = WeakIdKeyDictionary()
        self._sharing: dict[int, set[int]] = {}
        self._computed = self._flops_computed = 0
        kept.steps = []

    @property
    def share(self) -> float:
        """The share of the pass that was computed: of its floating-point operations, or of its operations if none is a product."""
        flops = sum(step.flops for step in self._steps)
        return self._flops_computed / flops if flops else self._computed / max(1, len(self._steps))

    def run(self, forward: Callable[[Tensor], Tensor]) -> Tensor:
        """Return the outputs of the network; the pass is kept afterwards.

        Args:
            forward: runs the network on its inputs.

        Raises:
            ReplayMismatch: The network changes a tensor in place that shares memory with another, or puts a hook on a tensor.
        """
        self._note(self._kept.inputs)
        with self:
            outputs: Tensor = self.current(forward(self._kept.inputs))
        if all(step.graph or not _has_graph(step.results) for step in self._steps):  # else a function with its own gradient
            self._kept.steps = self._steps
        self._earlier.clear()
        self.forget_replacements()
        return outputs

    def is_tracked(self, tensor: Tensor) -> bool:
        """Whether the tensor depends on the images."""
        return tensor in self._depends

    def intercept(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], tracked: Sequence[Tensor]) -> Any:
        """Return the kept result of an operation, or compute it."""
        if func in METADATA or func in MEMORY_LAYOUT:
            return func(*args, **kwargs)
        if isinstance(kwargs.get("out"), Tensor):
            raise ReplayMismatch(f"{operation_name(func)}: a tensor is given to be overwritten")
        if getattr(func, "__name__", "").startswith("register_"):
            raise ReplayMismatch(f"{operation_name(func)}: a kept tensor would get the hook again in every pass")
        number, arguments = len(self._steps), leaves((args, kwargs))
        step = self._earlier.pop(number, None)
        if step is None or not step.is_for(func, arguments):
            if step is not None:
                self._forget(step)
            step = self._compute(func, args, kwargs, arguments)
        self._steps.append(step)
        for leaf in leaves(step.results):
            if isinstance(leaf, Tensor):
                if leaf.is_nested:
                    raise ReplayMismatch(f"{operation_name(func)}: a nested tensor cannot be compared with a kept one")
                self._note(leaf)
        if (written := overwrites(func, args, kwargs)) is None:
            return step.results
        self.replace_in_place(written, step.results)
        return None if func is Tensor.__setitem__ else step.results

    def _compute(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], arguments: Sequence[Any]) -> KeptStep:
        with FlopCount() as counted:
            if (written := overwrites(func, args, kwargs)) is not None:
                if len(self._sharing.get(written.untyped_storage().data_ptr(), ())) > 1 or written._base is not None:
                    raise ReplayMismatch(f"{operation_name(func)}: a tensor is changed in place that shares memory with another")
                if written.requires_grad and not torch.is_grad_enabled():
                    raise ReplayMismatch(f"{operation_name(func)}: a tensor is changed in place behind its graph")
                results = written.clone()
                func(results, *args[1:], **kwargs)
            else:
                results = func(*args, **kwargs)
        self._computed += 1
        self._flops_computed += counted.flops
        depends = [isinstance(leaf, Tensor) and leaf in self._depends for leaf in arguments]
        return KeptStep(func, arguments, [*map(_version, arguments)], depends, results, torch.is_grad_enabled(), counted.flops)

    def _forget(self, step: KeptStep) -> None:
        """Release the kept operations that depend on one that is computed again, before it is."""
        gone = {id(leaf) for leaf in leaves(step.results) if isinstance(leaf, Tensor)}
        for number, later in list(self._earlier.items()):
            if any(id(argument) in gone for argument in later.arguments):
                gone |= {id(leaf) for leaf in leaves(later.results) if isinstance(leaf, Tensor)}
                del self._earlier[number]

    def _note(self, tensor: Tensor) -> None:
        self._depends[tensor] = True
        if tensor.layout is torch.strided:
            self._sharing.setdefault(tensor.untyped_storage().data_ptr(), set()).add(id(tensor))


def _has_graph(results: Any) -> bool:
    return any(isinstance(leaf, Tensor) and leaf.grad_fn is not None for leaf in leaves(results))
