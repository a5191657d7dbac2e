"""Functions of one value: activations follow the composite's rule, and elementary functions pass their relevance on."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from heatproof.numerics.average_jacobian import elementwise
from heatproof.relevance.handler_context import HandlerContext
from heatproof.relevance.tensor_tags import TensorTags
from heatproof.tracing.catalogue import ACTIVATIONS, BENDS, ELEMENTARY_FUNCTIONS, GATES, OUT_OF_PLACE, with_in_place
from heatproof.tracing.signatures import bind_arguments


def activate(context: HandlerContext, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Tensor:
    """Y = f(x), by the composite's rule for activations."""
    in_place, func = func in OUT_OF_PLACE, OUT_OF_PLACE.get(func, func)
    given = bind_arguments(func, args, kwargs, ())
    if "inplace" in given:
        in_place, given["inplace"] = in_place or given["inplace"], False
        x = given.pop("input")
        y = _follow_rule(context, func, x, (), given)
    else:
        x, *rest = args
        y = _follow_rule(context, func, x, rest, {k: v for k, v in kwargs.items() if k != "inplace"})
    if func in GATES:
        context.set_tags(y, TensorTags(context.tags(x).depth, gate=True))
    return context.replace_in_place(x, y) if in_place else y


def _follow_rule(
    context: HandlerContext, func: Callable[..., Any], x: Tensor, rest: Sequence[Any], kwargs: dict[str, Any]
) -> Tensor:
    if context.composite.activation is None:
        return context.differentiate(elementwise, func, (x, *rest), kwargs)

    return context.activate(func.__name__, lambda: func(x, *rest, **kwargs), lambda u: func(u, *rest, **kwargs), x)


def pass_on(context: HandlerContext, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Tensor:
    """Y = f(x): each value keeps its relevance. Where gradients flow back, there is no rule, and what bends needs one."""
    x = args[0] if args else kwargs["input"]
    if not context.composite.relevance and context.composite.activation is not None and func in BENDS and not x.is_complex():
        return context.refuse_backward(func, args, kwargs)
    if not context.composite.relevance:
        return context.differentiate(elementwise, func, args, kwargs)
    return context.apply_rule(func.__name__, lambda: func(*args, **kwargs), lambda _, __, above: [above], [x])


HANDLERS = {**dict.fromkeys(with_in_place(ACTIVATIONS), activate), **dict.fromkeys(ELEMENTARY_FUNCTIONS, pass_on)}
