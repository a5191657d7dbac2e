"""Functions of one value: activations, by the composite's rule, and others, which relevance passes."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from heatproof.numerics.secants import elementwise
from heatproof.relevance.tensor_tags import TensorTags
from heatproof.tracing.catalogue import ACTIVATIONS, ELEMENTARY_FUNCTIONS, GATES, OUT_OF_PLACE, with_in_place
from heatproof.tracing.signatures import bind_arguments

if TYPE_CHECKING:
    from heatproof.relevance.interceptor import Interceptor


def activate(interceptor: "Interceptor", func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Tensor:
    """Y = f(x), by the composite's rule for activations."""
    in_place, func = func in OUT_OF_PLACE, OUT_OF_PLACE.get(func, func)
    given = bind_arguments(func, args, kwargs, ())
    if "inplace" in given:
        in_place, given["inplace"] = in_place or given["inplace"], False
        x = given.pop("input")
        y = _ruled(interceptor, func, x, (), given)
    else:
        x, *rest = args
        y = _ruled(interceptor, func, x, rest, {k: v for k, v in kwargs.items() if k != "inplace"})
    if func in GATES:
        interceptor.tag(y, TensorTags(interceptor.tags(x).depth, gate=True))
    return interceptor.replace_in_place(x, y) if in_place else y


def _ruled(interceptor: "Interceptor", func: Callable[..., Any], x: Tensor, rest: Sequence[Any], kwargs: dict[str, Any]) -> Tensor:
    rule = interceptor.composite.activation
    if rule is None:
        return interceptor.differentiate(elementwise, func, (x, *rest), kwargs)

    def derivative(x: Tensor) -> Tensor:
        with torch.enable_grad():
            at = x.detach().requires_grad_()
            (found,) = torch.autograd.grad(func(at, *rest, **kwargs).sum(), at)
        return found

    def back(inputs: Sequence[Tensor], y: Tensor, above: Tensor) -> list[Tensor]:
        return [rule.backward(inputs[0], partial(derivative, inputs[0]), above)]

    return interceptor.ruled(func.__name__, lambda: func(x, *rest, **kwargs), back, [x])


def pass_on(interceptor: "Interceptor", func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Tensor:
    """Each value keeps its relevance; among gradients there is no rule."""
    if not interceptor.composite.relevance:
        return interceptor.differentiate(elementwise, func, args, kwargs)
    x = args[0] if args else kwargs["input"]
    return interceptor.ruled(func.__name__, lambda: func(*args, **kwargs), lambda _, __, above: [above], [x])


HANDLERS = {**dict.fromkeys(with_in_place(ACTIVATIONS), activate), **dict.fromkeys(ELEMENTARY_FUNCTIONS, pass_on)}
