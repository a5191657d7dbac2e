"""Operations that torch computes as one, such as attention: computed whole on the way forward, decomposed on the way back.

A handler gives the parts of such an operation: the same computation, written with operations that have handlers of their own. The
forward pass runs the operation itself, so that outputs stay bit-identical; the backward pass runs the parts and follows the rule of
each. Where the parts do not compute what the operation did, an error is raised, since relevance would go back through another
function than the network's.

Cost: the parts run once in the backward pass, and twice where there is a reference.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from heatproof.core.errors import ModelError
from heatproof.relevance.handler_context import HandlerContext
from heatproof.relevance.reference_activations import ReferenceActivations


def decomposed(
    context: HandlerContext,
    operation: str,
    run: Callable[[], Any],
    parts: Callable[..., Any],
    inputs: Sequence[Tensor],
    *,
    activates: bool = False,
) -> Any:
    """Compute an operation whose relevance goes back through its parts.

    Args:
        context: The tracer.
        operation: Name of the operation, for messages.
        run: Computes the operation's own result, a tensor or several.
        parts: Computes the same from the inputs, with operations that have handlers.
        inputs: The tensors that may depend on the network's input; those that do not get no relevance.
        activates: Whether there are activations among the parts, so that a rule for gradients at activations reaches them.

    Returns:
        The operation's own result.

    Raises:
        ModelError: In the backward pass, the parts gave another result than the operation.
    """
    guided = activates and context.composite.activation is not None
    if not (context.composite.relevance or guided) and context.reference is None:
        return run()
    distinct = list({id(x): x for x in inputs if x.requires_grad}.values())

    def run_whole() -> Any:
        with torch.enable_grad():  # torch chooses other kernels where no gradient is needed
            return tree_map(Tensor.detach, run())

    def run_parts(at: Sequence[Tensor]) -> tuple[list[Tensor], Any]:
        fresh = {id(x): y.detach().requires_grad_() for x, y in zip(distinct, at, strict=True)}
        for x, y in zip(distinct, fresh.values(), strict=True):
            context.set_tags(y, context.tags(x))
        return list(fresh.values()), parts(*[fresh.get(id(x), x) for x in inputs])

    def back(at: Sequence[Tensor], expected: Any, above: Any, at_reference: Sequence[Tensor] | None) -> Sequence[Tensor]:
        reference = None if at_reference is None else ReferenceActivations()
        with context.nested(reference):
            if at_reference is not None and reference is not None:
                run_parts(at_reference)
                reference.read()
            leaves, outputs = run_parts(at)
        _check_parts(operation, outputs, expected)
        return torch.autograd.grad(outputs, leaves, above, allow_unused=True, materialize_grads=True)

    return context.apply_rule_with_reference("", run_whole, back, distinct)


def _check_parts(operation: str, outputs: Any, expected: Any) -> None:
    """Raise an error unless the parts gave the operation's own output, up to a share √ε of its largest value."""
    pairs = zip(outputs, expected, strict=True) if isinstance(expected, tuple) else [(outputs, expected)]
    for part, whole in pairs:
        got, own = part.detach(), whole.detach()
        if got.shape != own.shape:
            _refuse(operation, f"of shape {list(own.shape)}, got {list(got.shape)}")
        tolerance = torch.finfo(own.dtype).eps ** 0.5 * own.nan_to_num(0.0, 0.0, 0.0).abs().max().item()
        if not torch.allclose(got.to(own.dtype), own, rtol=0.0, atol=tolerance, equal_nan=True):
            _refuse(operation, f"up to {tolerance:.2g}, got a difference of {float((got - own).abs().max()):.2g}")


def _refuse(operation: str, difference: str) -> None:
    raise ModelError(
        f"{operation}: expected parts that give the operation's own output, {difference}; with these arguments it computes "
        "something that backward rules do not know: write that part of the network with matmul and softmax"
    )
