"""What a handler of an operation may use of the tracer that calls it.

Handlers import this file and not the tracer, and the tracer is given the table of handlers, so that neither imports the other.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from heatproof.numerics.average_jacobian import AverageJacobian
from heatproof.numerics.bounds import Bounds
from heatproof.relevance.composites import Composite
from heatproof.relevance.reference_activations import ReferenceActivations
from heatproof.relevance.tensor_tags import TensorTags

Backward = Callable[[Sequence[Tensor], Any, Any], Sequence[Tensor]]
"""(inputs, output, relevance of the output) → relevance of each input. An operation with several outputs has tuples of both."""
BackwardWithReference = Callable[[Sequence[Tensor], Any, Any, Sequence[Tensor] | None], Sequence[Tensor]]
"""The same with one more argument: the inputs of the operation at the reference, or None where there is no reference."""


@runtime_checkable
class HandlerContext(Protocol):
    """The tracer of backward rules as its handlers see it."""

    @property
    def composite(self) -> Composite:
        """Which rule applies where."""

    @property
    def bounds(self) -> Bounds:
        """The limits of the network's input."""

    @property
    def input(self) -> Tensor | None:
        """The network's input, detached."""

    @property
    def reference(self) -> ReferenceActivations | None:
        """The activations at the reference, if there is one."""

    def tags(self, tensor: Tensor) -> TensorTags:
        """What is recorded about a tensor."""

    def set_tags(self, tensor: Tensor, tags: TensorTags) -> Tensor:
        """Record something about a tensor, and return it."""

    def module_name(self, weight: Tensor) -> str:
        """The name of the module that holds a weight; empty if no module does."""

    def parameter_name(self, weight: Tensor) -> str:
        """The name of the parameter that a weight is, or is a view of the same size of; empty if there is none."""

    def apply_rule(self, operation: str, run: Callable[[], Tensor], back: Backward, inputs: Sequence[Tensor]) -> Tensor:
        """Compute an operation whose backward pass is a rule.

        Args:
            operation: Its name in the list of leaks; empty for an operation whose parts are listed instead.
            run: Computes the operation's own result.
            back: The rule.
            inputs: The tensors among its arguments that get relevance.
        """

    def apply_rule_with_reference(
        self, operation: str, run: Callable[[], Any], back: BackwardWithReference, inputs: Sequence[Tensor]
    ) -> Any:
        """The same for a rule that also needs the inputs at the reference, and for operations with several outputs."""

    def activate(self, operation: str, run: Callable[[], Tensor], function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """Compute an activation by the composite's rule for activations; without a rule, its average slope from the reference.

        Args:
            operation: Its name in the list of leaks.
            run: Computes the operation's own result.
            function: The activation as a function of one tensor, value by value.
            x: Its input.
        """

    def pass_gradient(self, operation: str, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Tensor:
        """Compute a copy, whose gradient carries relevance exactly, with a line of its own in the list of leaks.

        Args:
            operation: Its name in the list of leaks.
            func: The function that copies, out of place.
            args: Its positional arguments.
            kwargs: Its keyword arguments.
        """

    def refuse_backward(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Tensor:
        """Compute an operation that has no rule where it needs one: an error is raised if anything flows back through it.

        Args:
            func: The torch function.
            args: Its positional arguments.
            kwargs: Its keyword arguments.
        """

    def differentiate(
        self, secant: AverageJacobian, func: Callable[..., Tensor], args: Sequence[Any], kwargs: dict[str, Any]
    ) -> Tensor:
        """Compute an operation that no rule applies to: its backward pass is its gradient, or its average slope from the reference.

        Args:
            secant: How the average slope is computed.
            func: The torch function.
            args: Its positional arguments.
            kwargs: Its keyword arguments.
        """

    def nested(self, reference: ReferenceActivations | None = None) -> AbstractContextManager[None]:
        """A block in which the operations that a handler itself runs are intercepted, with this reference."""

    def replace_in_place(self, old: Tensor, new: Tensor) -> Tensor:
        """Use `new` from now on wherever the network uses `old`, and return it."""


Handler = Callable[[HandlerContext, Callable[..., Any], Sequence[Any], dict[str, Any]], Any]
"""(context, torch function, args, kwargs) → the result of the operation, tied to its rule."""
HandlerLookup = Callable[[Callable[..., Any]], Handler | None]
"""Torch function → its handler; None for a function without one."""
