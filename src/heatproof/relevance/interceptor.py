"""The interceptor gives every operation of one forward pass the backward rule that a composite assigns to it.

It intercepts every torch operation on a tensor that depends on the input (see `heatproof/tracing/tracer.py`). A handler computes
the operation's own result, so that the forward pass is the network's, and ties it to a backward function that follows the rule. The
ordinary autograd engine does the rest: branches, residual connections, layers that are used twice.

An operation without a handler raises an error, and so does a tensor that no intercepted operation made, for instance one from a
scripted module or from an autograd.Function of the network's own. No gradient takes the place of a rule silently.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from heatproof.core.errors import ModelError
from heatproof.numerics.autocast import autocast_of
from heatproof.numerics.average_jacobian import SMOOTH, AverageJacobian, elementwise, vector_jacobian_product
from heatproof.numerics.bounds import Bounds
from heatproof.relevance.composites import Composite
from heatproof.relevance.handler_context import Backward, BackwardWithReference, HandlerLookup
from heatproof.relevance.reference_activations import ReferenceActivations
from heatproof.relevance.tensor_tags import TensorTags
from heatproof.tracing.catalogue import INDEXED_WRITES, MIXTURES, OUT_OF_PLACE, writes_in_place
from heatproof.tracing.expressions import GATED, KEEP_MASKS, Expression, Operand, out_of_place, spelling
from heatproof.tracing.signatures import function_of_tensors, operation_name
from heatproof.tracing.tracer import Tracer


@dataclass(frozen=True)
class Leak:
    """The relevance above and below one operation.

    The difference of the two sums was absorbed in the operation, for instance by a bias.

    Attributes:
        operation: Name of the operation, with the name of its module where it has weights.
        above: Sum of the relevance of its outputs.
        below: Sum of the relevance of its inputs.
    """

    operation: str
    above: Tensor
    below: Tensor


class Interceptor(Tracer):
    """The tracer of one forward pass whose backward pass follows rules; it is a `HandlerContext`.

    Args:
        composite: Which rule applies where.
        module: The network, for the names of its layers.
        bounds: The limits of the network's input.
        handler: Looks up the handler of a torch function: `heatproof.relevance.handlers.handler`.
        reference: Where it is given, an operation without a rule passes its average slope from the reference, not its gradient (see
            `numerics/average_jacobian.py`).
        leaks: Where it is given, this list receives the leaks of all operations during the backward pass.

    Raises:
        ModelError: A part of the network hides its operations.
    """

    def __init__(
        self,
        composite: Composite,
        module: nn.Module,
        bounds: Bounds,
        handler: HandlerLookup,
        *,
        reference: ReferenceActivations | None = None,
        leaks: list[Leak] | None = None,
    ) -> None:
        super().__init__(module)
        self.composite, self.module, self.bounds = composite, module, bounds
        self.reference, self.leaks = reference, leaks
        self.input: Tensor | None = None
        self._handler = handler
        self._depth = 0
        self._tags: Any = WeakIdKeyDictionary()
        self._names = {id(p): name for name, p in module.named_parameters(remove_duplicate=False)}

    def begin(self, x: Tensor) -> None:
        """Track this input and everything that depends on it."""
        self.input = x.detach()
        self._tags[x] = TensorTags()

    def __enter__(self) -> Self:
        self._depth += 1
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        """Stop intercepting. Replacements are forgotten, since their graphs lead back to this tracer and would never be freed."""
        super().__exit__(*error)
        self._depth -= 1
        if self._depth == 0:
            self.forget_replacements()

    def is_tracked(self, tensor: Tensor) -> bool:
        """Whether the tensor depends on the input."""
        return torch.is_grad_enabled() and (tensor.requires_grad or self.tags(tensor).mask)

    def intercept(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], tracked: Sequence[Tensor]) -> Any:
        """Compute the operation's own result, tied to its rule."""
        for tensor in tracked:
            if tensor not in self._tags:
                raise ModelError(
                    f"{self._running_module()}: expected tensors made by operations that can be followed, got "
                    f"{list(tensor.shape)} from a scripted module, a custom autograd.Function or another thread before "
                    f"{operation_name(func)}; write that part with torch's own operations"
                )
            if tensor.is_complex() and self.composite.relevance:
                raise self._no_rule(func, " on complex numbers")
        spelled = spelling(self._operand, func, args, kwargs)
        known = TensorTags(max(self.tags(tensor).depth for tensor in tracked), expressions=spelled.expressions if spelled else ())
        if not any(tensor.requires_grad for tensor in tracked):
            return self._tag_mask(func(*args, **kwargs), known if spelled or func in KEEP_MASKS else None)
        result = self._complete(func, args, kwargs, spelled.activation if spelled else None, known)
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor) and leaf.requires_grad and not any(leaf is each for each in tracked):
                self._tags[leaf] = replace(self._tags.get(leaf, known), expressions=known.expressions)
        return self._tag_mask(result, known if spelled else None)

    def _complete(
        self,
        func: Callable[..., Any],
        args: Sequence[Any],
        kwargs: dict[str, Any],
        activation: Expression | None,
        known: TensorTags,
    ) -> Any:
        """The result of an operation, by the rule for activations where it completes one and by its own handler otherwise."""
        if activation is not None and not self._leaves_activations_to_autograd():
            operation = operation_name(func)
            y = self.activate(operation, partial(out_of_place(func), *args, **kwargs), activation.function, activation.root)
            self._tags[y] = known
            if not writes_in_place(func) and func not in OUT_OF_PLACE:
                return y
            self.replace_in_place(args[0], y)
            return None if func in INDEXED_WRITES else y
        if self._guides and func in GATED and function_of_tensors(func, args, kwargs, lambda leaf: self.tags(leaf).mask)[1]:
            return self.refuse_backward(func, args, kwargs)
        handle = self._handler(func)
        return handle(self, func, args, kwargs) if handle else self._without_handler(func, args, kwargs)

    def _operand(self, tensor: Tensor) -> Operand | None:
        """What is known about an argument that depends on the input; None for a constant."""
        tags = self.tags(tensor)
        return Operand(tensor, tags.expressions, tags.mask) if tensor.requires_grad or tags.mask else None

    def _tag_mask(self, result: Any, known: TensorTags | None) -> Any:
        """Record that the result is a mask, unless it has a gradient."""
        if known is not None and isinstance(result, Tensor) and not result.requires_grad:
            self._tags[result] = replace(known, mask=True)
        return result

    @property
    def _guides(self) -> bool:
        """Whether gradients flow back that a rule changes at activations."""
        return not self.composite.relevance and self.composite.activation is not None

    def _leaves_activations_to_autograd(self) -> bool:
        return self.composite.activation is None and self.reference is None

    def _without_handler(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """Compute an operation that no handler knows: with its gradient or average slope, if what flows back is no relevance."""
        result = func(*args, **kwargs)
        in_place = writes_in_place(func)
        if not self.composite.relevance and self._leaves_activations_to_autograd():
            return result
        if not in_place and not any(isinstance(leaf, Tensor) and leaf.requires_grad for leaf in tree_leaves(result)):
            return result
        if self._guides and func in MIXTURES:
            return result
        if self._guides and isinstance(result, Tensor) and not in_place:
            return self.refuse_backward(func, args, kwargs)
        if self.composite.relevance or in_place or not isinstance(result, Tensor):
            raise self._no_rule(func)
        return self.differentiate(SMOOTH, func, args, kwargs)

    def _no_rule(self, func: Callable[..., Any], on: str = "") -> ModelError:
        return ModelError(
            f"{self._running_module()}: expected an operation with a rule, got {operation_name(func)}{on}; "
            "add it to the tables in heatproof/relevance/handlers"
        )

    def tags(self, tensor: Tensor) -> TensorTags:
        """What is recorded about a tensor."""
        tags: TensorTags = self._tags.get(tensor, TensorTags())
        return tags

    def set_tags(self, tensor: Tensor, tags: TensorTags) -> Tensor:
        """Record something about a tensor, and return it."""
        self._tags[tensor] = tags
        return tensor

    def module_name(self, weight: Tensor) -> str:
        """The name of the module that holds a weight; empty if no module does."""
        return self.parameter_name(weight).rpartition(".")[0]

    def parameter_name(self, weight: Tensor) -> str:
        """The name of the parameter that a weight is, or is a view of the same size of; empty if there is none."""
        whole = weight._base is not None and weight._base.numel() == weight.numel()
        return self._names.get(id(weight)) or self._names.get(id(weight._base) if whole else 0, "")

    def apply_rule(self, operation: str, run: Callable[[], Tensor], back: Backward, inputs: Sequence[Tensor]) -> Tensor:
        """Compute an operation whose backward pass is a rule; see `HandlerContext`."""
        result: Tensor = _RuleFunction.apply(self, operation, run, back, *inputs)
        return result

    def apply_rule_with_reference(
        self, operation: str, run: Callable[[], Any], back: BackwardWithReference, inputs: Sequence[Tensor]
    ) -> Any:
        """The same for a rule that also needs the inputs at the reference; see `HandlerContext`."""
        at_reference = None if self.reference is None else self.reference.visit(operation, inputs)
        return _RuleFunction.apply(self, operation, run, lambda at, output, above: back(at, output, above, at_reference), *inputs)

    def activate(self, operation: str, run: Callable[[], Tensor], function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """Compute an activation by the composite's rule for it, or its average slope; see `HandlerContext`."""
        rule = self.composite.activation
        if rule is None:

            def secant(at: Sequence[Tensor], _: Tensor, above: Tensor, at_reference: Sequence[Tensor] | None) -> Sequence[Tensor]:
                return elementwise(function, at, at_reference or at, above)

            result: Tensor = self.apply_rule_with_reference(operation, run, secant, [x])
            return result

        def derivative(x: Tensor) -> Tensor:
            with torch.enable_grad():
                at = x.detach().requires_grad_()
                (slope,) = torch.autograd.grad(function(at).sum(), at)
            return slope

        def back(inputs: Sequence[Tensor], y: Tensor, above: Tensor) -> list[Tensor]:
            return [rule.backward(inputs[0], partial(derivative, inputs[0]), above)]

        return self.apply_rule(operation, run, back, [x])

    def pass_gradient(self, operation: str, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Tensor:
        """Compute a copy whose gradient carries relevance exactly, with its line in the list of leaks; see `HandlerContext`."""
        function, inputs = function_of_tensors(func, args, kwargs, _depends)

        def back(at: Sequence[Tensor], _: Tensor, above: Tensor) -> Sequence[Tensor]:
            return vector_jacobian_product(function, at, above)

        return self.apply_rule(operation, partial(func, *args, **kwargs), back, inputs)

    def refuse_backward(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Tensor:
        """Compute an operation through which nothing may flow back; see `HandlerContext`."""
        rule = self.composite.activation
        message = (
            f"{self._running_module()}: expected activations that the rule {rule.name if rule else 'none'} knows, got "
            f"{operation_name(func)}, which may act as one and has no rule; write the activation with torch's own functions, "
            "such as F.relu, or use another method"
        )

        def back(*_: Any) -> list[Tensor]:
            raise ModelError(message)

        _, tracked = function_of_tensors(func, args, kwargs, _depends)
        y = self.apply_rule(operation_name(func), partial(out_of_place(func), *args, **kwargs), back, tracked)
        return self.replace_in_place(args[0], y) if writes_in_place(func) or func in OUT_OF_PLACE else y

    def differentiate(
        self, secant: AverageJacobian, func: Callable[..., Tensor], args: Sequence[Any], kwargs: dict[str, Any]
    ) -> Tensor:
        """Compute an operation that no rule applies to; see `HandlerContext`."""
        run = partial(func, *args, **kwargs)
        if self.reference is None:
            return run()
        function, inputs = function_of_tensors(func, args, kwargs, _depends)

        def back(at: Sequence[Tensor], _: Tensor, above: Tensor, at_reference: Sequence[Tensor] | None) -> Sequence[Tensor]:
            return secant(function, at, at_reference or at, above)

        result: Tensor = self.apply_rule_with_reference(operation_name(func), run, back, inputs)
        return result

    @contextmanager
    def nested(self, reference: ReferenceActivations | None = None) -> Iterator[None]:
        """A block in which the operations that a handler itself runs are intercepted, with this reference."""
        outer, self.reference = self.reference, reference
        try:
            with torch.enable_grad(), self:
                yield
        finally:
            self.reference = outer

    def _running_module(self) -> str:
        """Path of the innermost module whose forward is running, for messages."""
        names = {id(module): name for name, module in self.module.named_modules()}
        frame = sys._getframe()
        while frame.f_back is not None:
            frame = frame.f_back
            running = frame.f_locals.get("self")
            if isinstance(running, nn.Module) and id(running) in names:
                return f"{type(self.module).__name__}.{names[id(running)]}".rstrip(".")
        return type(self.module).__name__


def _depends(tensor: Tensor) -> bool:
    """Whether an argument of an operation gets something back."""
    return tensor.requires_grad


class _RuleFunction(torch.autograd.Function):
    """An operation whose backward pass is a rule."""

    @staticmethod
    def forward(ctx: Any, interceptor: Interceptor, operation: str, run: Callable[[], Any], back: Backward, *inputs: Tensor) -> Any:
        output = run()
        ctx.leaks, ctx.operation, ctx.back, ctx.inputs = interceptor.leaks, operation, back, len(inputs)
        ctx.autocast = autocast_of(inputs[0].device.type)
        ctx.save_for_backward(*inputs, *(output if isinstance(output, tuple) else [output]))
        return output

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, ...]:
        inputs, outputs = ctx.saved_tensors[: ctx.inputs], ctx.saved_tensors[ctx.inputs :]
        with ctx.autocast:  # the network's own: the rule computes in the types of its operation
            relevances = ctx.back(inputs, *((outputs, above) if len(outputs) > 1 else (outputs[0], above[0])))
        if ctx.operation and ctx.leaks is not None:  # the parts of an operation without a name are listed instead
            below = torch.stack([relevance.sum() for relevance in relevances]).sum()
            ctx.leaks.append(Leak(ctx.operation, torch.stack([each.sum() for each in above]).sum(), below))
        return (None, None, None, None, *relevances)
