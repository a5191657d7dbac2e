"""Functions of one value: activations, by the composite's rule, and others, which relevance passes."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from heatproof.numerics.average_jacobian import elementwise
from heatproof.relevance.tensor_tags import TensorTags
from heatproof.tracing.catalogue import OUT_OF_PLACE, bound

if TYPE_CHECKING:
    from heatproof.relevance.interceptor import Interceptor

T = Tensor

_GATES = (torch.sigmoid, T.sigmoid, F.sigmoid, F.hardsigmoid)
"""Their values lie between 0 and 1: they weigh and say nothing of their own, as a hyperbolic tangent does."""
_ACTIVATIONS = (
    *(torch.relu, T.relu, F.relu, F.relu6, F.hardtanh, F.leaky_relu, F.elu, F.selu, F.celu, F.gelu, F.silu, F.mish),
    *(F.hardswish, F.softplus, F.softsign, F.logsigmoid, F.prelu, F.rrelu, F.tanhshrink, F.hardshrink, F.softshrink, F.threshold),
    *(torch.clamp, T.clamp, torch.clamp_min, T.clamp_min, torch.clamp_max, T.clamp_max, torch.prelu, torch.celu, torch.selu),
    *(torch.tanh, T.tanh, F.tanh, *_GATES),
)


def activate(interceptor: "Interceptor", func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Tensor:
    """Y = f(x), by the composite's rule for activations."""
    in_place, func = func in OUT_OF_PLACE, OUT_OF_PLACE.get(func, func)
    given = bound(func, args, kwargs, ())
    if "inplace" in given:
        in_place, given["inplace"] = in_place or given["inplace"], False
        x = given.pop("input")
        y = _ruled(interceptor, func, x, (), given)
    else:
        x, *rest = args
        y = _ruled(interceptor, func, x, rest, {k: v for k, v in kwargs.items() if k != "inplace"})
    if func in _GATES:
        interceptor.tag(y, TensorTags(interceptor.tags(x).depth, gate=True))
    return interceptor.stands_for(x, y) if in_place else y


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


_ELEMENTWISE = (
    *(torch.square, T.square, torch.pow, T.pow, T.__pow__, torch.exp, T.exp, torch.log, T.log, torch.sqrt, T.sqrt, torch.rsqrt),
    *(T.rsqrt, torch.abs, T.abs, torch.sin, T.sin, torch.cos, T.cos, torch.erf, T.erf, torch.neg, T.neg, T.__neg__, torch.log1p),
    *(torch.reciprocal, T.reciprocal),
)
"""Functions of one value that are no activation."""
FUNCTIONS = (*_ACTIVATIONS, *_ELEMENTWISE)
HANDLERS = {
    **dict.fromkeys([*_ACTIVATIONS, *(now for now, then in OUT_OF_PLACE.items() if then in _ACTIVATIONS)], activate),
    **dict.fromkeys(_ELEMENTWISE, pass_on),
}
