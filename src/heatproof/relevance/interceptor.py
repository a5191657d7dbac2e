"""One network, one forward pass, every operation seen: a rule decides what flows backward, the operation itself what flows forward.

Every call of torch that a tensor depending on the input goes into is met (see `following.py`). Its handler (see `operators/`)
answers with the operation's own result, tied to a backward function that follows the rule. The ordinary autograd engine does the
rest: fan-out, residual connections, shared layers.

An operation that is unknown raises; so does a tensor that no known operation made, as a scripted module or an autograd.Function
of the network's own would. There is no silent gradient.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten
from torch.utils.weak import WeakIdKeyDictionary

from heatproof.core.errors import ModelError
from heatproof.numerics.average_jacobian import SMOOTH, AverageJacobian
from heatproof.numerics.bounds import Bounds
from heatproof.relevance.composites import Composite
from heatproof.relevance.handlers import handler
from heatproof.relevance.reference_activations import ReferenceActivations
from heatproof.relevance.tensor_tags import TensorTags
from heatproof.tracing.catalogue import operation_name, writes
from heatproof.tracing.tracer import Tracer

Backward = Callable[[Sequence[Tensor], Any, Any], Sequence[Tensor]]
"""(inputs, output, relevance of the output) → relevance of each input; of an operation with several outputs, tuples of each."""
Contrast = Callable[[Sequence[Tensor], Any, Any, Sequence[Tensor] | None], Sequence[Tensor]]
"""The same, given also the inputs at the reference; None where there is none."""


@dataclass(frozen=True)
class Leak:
    """Relevance above and below one operation, summed; what is missing below was absorbed there."""

    operation: str
    above: Tensor
    below: Tensor


class Interceptor(Tracer):
    """Give every operation of one forward pass its rule.

    composite  which rule where.
    module     the network, for the names of its layers.
    bounds     limits of the network's input.
    reference  where given, what has no rule passes its average slope from there, not its gradient (`numerics/average_jacobian.py`).
    leaks      filled during the backward pass, where they are wanted.
    """

    def __init__(
        self,
        composite: Composite,
        module: nn.Module,
        bounds: Bounds,
        reference: ReferenceActivations | None = None,
        leaks: list[Leak] | None = None,
    ) -> None:
        super().__init__(module)
        self.composite, self.bounds, self.reference, self.leaks = composite, bounds, reference, leaks
        self.input: Tensor | None = None
        self._tags: Any = WeakIdKeyDictionary()
        self._names = {id(p): name for name, p in module.named_parameters(remove_duplicate=False)}

    def begin(self, x: Tensor) -> None:
        """Follow everything that depends on this input."""
        self.input = x.detach()
        self._tags[x] = TensorTags()

    def follows(self, tensor: Tensor) -> bool:
        """What depends on the input."""
        return tensor.requires_grad and torch.is_grad_enabled()

    def meet(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], followed: Sequence[Tensor]) -> Any:
        """The operation's own result, tied to its rule."""
        for tensor in followed:
            if tensor not in self._tags:
                raise ModelError(
                    f"{self._where()}: expected tensors made by operations that can be followed, got {list(tensor.shape)} from a "
                    "scripted module, a custom autograd.Function or another thread before "
                    f"{operation_name(func)}; write that part with torch's own operations"
                )
        handle = handler(func)
        result = handle(self, func, args, kwargs) if handle else self._unknown(func, args, kwargs)
        return self._tagged(result, followed)

    def _unknown(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """An operation in no table: its gradient or its average slope; it carries no relevance."""
        result = func(*args, **kwargs)
        if not self.composite.relevance and self.reference is None:
            return result
        if not writes(func) and not any(isinstance(leaf, Tensor) and leaf.requires_grad for leaf in tree_leaves(result)):
            return result
        if self.composite.relevance or writes(func) or not isinstance(result, Tensor):
            raise ModelError(
                f"{self._where()}: expected an operation with a rule, got {operation_name(func)}; "
                "add it to the tables in heatproof/relevance/handlers"
            )
        return self.differentiate(SMOOTH, func, args, kwargs)

    def _tagged(self, result: Any, tracked: Sequence[Tensor]) -> Any:
        depth = max(self.tags(tensor).depth for tensor in tracked)
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor) and leaf.requires_grad and leaf not in self._tags:
                self._tags[leaf] = TensorTags(depth)
        return result

    def tags(self, tensor: Tensor) -> TensorTags:
        """What is known of a tensor."""
        found: TensorTags = self._tags.get(tensor, TensorTags())
        return found

    def tag(self, tensor: Tensor, tags: TensorTags) -> Tensor:
        """Say what is known of a tensor."""
        self._tags[tensor] = tags
        return tensor

    def name_of(self, weight: Tensor) -> str:
        """Name of the module that holds a weight; empty if none does."""
        return self.parameter_name(weight).rpartition(".")[0]

    def parameter_name(self, weight: Tensor) -> str:
        """Name of the parameter that a weight is, or is another view of; empty if there is none."""
        whole = weight._base is not None and weight._base.numel() == weight.numel()
        return self._names.get(id(weight)) or self._names.get(id(weight._base) if whole else 0, "")

    def ruled(self, operation: str, run: Callable[[], Tensor], back: Backward, inputs: Sequence[Tensor]) -> Tensor:
        """The operation's own result; `back` decides what its inputs get."""
        found: Tensor = _Ruled.apply(self, operation, run, back, *inputs)
        return found

    def contrasted(self, operation: str, run: Callable[[], Any], back: Contrast, inputs: Sequence[Tensor]) -> Any:
        """Like `ruled`, for a rule that looks at the reference as well, and for several outputs."""
        met = None if self.reference is None else self.reference.meet(operation, inputs)
        return _Ruled.apply(self, operation, run, lambda at, output, above: back(at, output, above, met), *inputs)

    def differentiate(
        self, secant: AverageJacobian, func: Callable[..., Tensor], args: Sequence[Any], kwargs: dict[str, Any]
    ) -> Tensor:
        """An operation without a rule: its gradient, or its average slope from the reference."""
        run = partial(func, *args, **kwargs)
        if self.reference is None:
            return run()
        leaves, form = tree_flatten((args, kwargs))
        where = [k for k, leaf in enumerate(leaves) if isinstance(leaf, Tensor) and leaf.requires_grad]

        def function(*inputs: Tensor) -> Tensor:
            given = dict(zip(where, inputs, strict=True))
            args, kwargs = tree_unflatten([given.get(k, leaf) for k, leaf in enumerate(leaves)], form)
            found: Tensor = func(*args, **kwargs)
            return found

        def back(at: Sequence[Tensor], _: Tensor, above: Tensor, met: Sequence[Tensor] | None) -> Sequence[Tensor]:
            return secant(function, at, met or at, above)

        found: Tensor = self.contrasted(operation_name(func), run, back, [leaves[k] for k in where])
        return found

    @contextmanager
    def nested(self, reference: ReferenceActivations | None = None) -> Iterator[None]:
        """Follow operations that a rule itself runs, as the parts of an operation that came as one."""
        outer, self.reference = self.reference, reference
        try:
            with torch.enable_grad(), self:
                yield
        finally:
            self.reference = outer

    def _where(self) -> str:
        """Path of the innermost module that is running."""
        names = {id(module): name for name, module in self.module.named_modules()}
        frame = sys._getframe()
        while frame.f_back is not None:
            frame = frame.f_back
            running = frame.f_locals.get("self")
            if isinstance(running, nn.Module) and id(running) in names:
                return f"{type(self.module).__name__}.{names[id(running)]}".rstrip(".")
        return type(self.module).__name__


class _Ruled(torch.autograd.Function):
    """An operation whose backward pass is a rule."""

    @staticmethod
    def forward(ctx: Any, interceptor: Interceptor, operation: str, run: Callable[[], Any], back: Backward, *inputs: Tensor) -> Any:
        output = run()
        ctx.interceptor, ctx.operation, ctx.back, ctx.inputs = interceptor, operation, back, len(inputs)
        ctx.save_for_backward(*inputs, *(output if isinstance(output, tuple) else [output]))
        return output

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, ...]:
        inputs, outputs = ctx.saved_tensors[: ctx.inputs], ctx.saved_tensors[ctx.inputs :]
        found = ctx.back(inputs, *((outputs, above) if len(outputs) > 1 else (outputs[0], above[0])))
        if ctx.operation and ctx.interceptor.leaks is not None:  # without a name, its parts have told
            below = torch.stack([relevance.sum() for relevance in found]).sum()
            ctx.interceptor.leaks.append(Leak(ctx.operation, torch.stack([each.sum() for each in above]).sum(), below))
        return (None, None, None, None, *found)
