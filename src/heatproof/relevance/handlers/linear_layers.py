"""LinearLayer operations: layers with weights, batch normalisation by running statistics, means."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from heatproof.core.errors import ModelError
from heatproof.relevance.composites.base import Place
from heatproof.relevance.linear import LinearLayer
from heatproof.relevance.rules import LinearRule
from heatproof.relevance.tensor_tags import ProducingLayer, TensorTags
from heatproof.tracing.catalogue import (
    AVERAGES,
    BATCH_NORMALISATIONS,
    CONVOLUTION_ARGUMENTS,
    CONVOLUTIONS,
    DENSE,
    TRANSPOSED_CONVOLUTION_ARGUMENTS,
    TRANSPOSED_CONVOLUTIONS,
)
from heatproof.tracing.layer_minus_constant import layer_minus_constant
from heatproof.tracing.signatures import bind_arguments

if TYPE_CHECKING:
    from heatproof.relevance.interceptor import Interceptor

Args = Sequence[Any]
Kwargs = dict[str, Any]


def convolve(
    interceptor: "Interceptor", func: Callable[..., Any], args: Args, kwargs: Kwargs, constant: Tensor | None = None
) -> Tensor:
    """Convolutions and their transposes, of one to three axes."""
    transposed = func in TRANSPOSED_CONVOLUTIONS
    given = {**dict(zip(TRANSPOSED_CONVOLUTION_ARGUMENTS if transposed else CONVOLUTION_ARGUMENTS, args, strict=False)), **kwargs}
    x, weight, bias = given.pop("input"), given.pop("weight"), given.pop("bias", None)
    shape = (-1, *[1] * (weight.ndim - 2))
    layer = LinearLayer(
        lambda x, w: func(x, w, None, **given),
        weight,
        None if bias is None else bias.view(shape),
        outputs=(1 if given.get("groups", 1) == 1 else None) if transposed else 0,
        axis=x.ndim - weight.ndim + 1,
    )
    return _with_weights(interceptor, "convolution", layer, x, weight, partial(func, *args, **kwargs), constant)


def multiply(
    interceptor: "Interceptor", func: Callable[..., Any], args: Args, kwargs: Kwargs, constant: Tensor | None = None
) -> Tensor:
    """Dense layers, y = x Wᵀ + b over the last axis."""
    given = {**dict(zip(("input", "weight", "bias"), args, strict=False)), **kwargs}
    x, weight, bias = given["input"], given["weight"], given.get("bias")
    layer = LinearLayer(lambda x, w: F.linear(x, w), weight, bias, outputs=0, axis=x.ndim - 1)
    return _with_weights(interceptor, "dense", layer, x, weight, partial(func, *args, **kwargs), constant)


def without(interceptor: "Interceptor", _: Callable[..., Any], args: Args, kwargs: Kwargs) -> Tensor:
    """A convolution or dense layer less a constant, which belongs to its bias."""
    func, given, named, constant = args
    return (multiply if func in DENSE else convolve)(interceptor, func, given, named, constant)


def _with_weights(
    interceptor: "Interceptor",
    place: Place,
    layer: LinearLayer,
    x: Tensor,
    weight: Tensor,
    plain: Callable[[], Tensor],
    constant: Tensor | None,
) -> Tensor:
    run = plain if constant is None else partial(layer_minus_constant, plain, (), {}, constant)
    if constant is not None:
        layer = replace(layer, bias=-constant if layer.bias is None else layer.bias - constant)
    if weight.requires_grad:
        raise ModelError(f"{place}: expected weights that do not depend on the input, got some that do; use torch.matmul or einsum")
    depth, name = interceptor.tags(x).depth, interceptor.name_of(weight)
    box = _limits(interceptor, x) if depth == 0 and x.ndim > 1 else None
    layer = replace(layer, name=interceptor.parameter_name(weight), box=box)
    rule = interceptor.composite.linear(place, first=depth == 0, name=name)
    operation = f"{place} {name}".strip()
    y = follow(interceptor, operation, rule, layer, x, run)
    return interceptor.tag(y, TensorTags(depth + 1, made=ProducingLayer(operation, layer, x, rule)))


def follow(
    interceptor: "Interceptor", operation: str, rule: LinearRule | None, layer: LinearLayer, x: Tensor, run: Callable[[], Tensor]
) -> Tensor:
    """The operation's result, with relevance to x by the rule; the ordinary gradient without one."""
    if rule is None:
        return run()
    return interceptor.ruled(operation, run, lambda inputs, _, above: [rule.backward(inputs[0], layer, above)], [x])


def _limits(interceptor: "Interceptor", x: Tensor) -> tuple[Tensor, Tensor] | None:
    """Limits of the network's input, if x still has its channels, or is the input flattened."""
    if x.shape[1] == len(interceptor.bounds.lower):
        return interceptor.bounds.like(x)
    whole = interceptor.input
    if whole is None or x.shape != whole.flatten(1).shape or not torch.equal(x.detach(), whole.flatten(1)):
        return None
    lower, upper = (limit.expand(1, *whole.shape[1:]).flatten(1) for limit in interceptor.bounds.like(whole))
    return lower, upper


def normalise_batch(interceptor: "Interceptor", func: Callable[..., Any], args: Args, kwargs: Kwargs) -> Tensor:
    """Batch normalisation: fused with the layer that made its input, alone where there is none."""
    given = bind_arguments(func, args, kwargs, ())
    x, training = given["input"], given.get("training", False)
    if training or given["running_mean"] is None:
        raise ModelError("batch normalisation: expected running statistics, got those of the batch; rows would see each other")
    mean, variance = given["running_mean"], given["running_var"]
    scale = (variance + given["eps"]).rsqrt() * (1 if given["weight"] is None else given["weight"])
    shift = -mean * scale + (0 if given["bias"] is None else given["bias"])
    tags, run = interceptor.tags(x), partial(func, *args, **kwargs)
    made = tags.made
    if made is not None and made.rule is not None and made.layer.outputs is not None and made.layer.axis == 1:
        fused = made.layer.then(scale, shift, x.ndim)
        y = follow(interceptor, f"{made.operation}, normalised", made.rule, fused, made.x, run)
    else:
        shape = (1, -1, *[1] * (x.ndim - 2))
        layer = LinearLayer(torch.mul, scale.view(shape), shift.view(shape))
        rule = interceptor.composite.linear("normalisation", first=False, name="")
        y = follow(interceptor, "normalisation", rule, layer, x, run)
    return interceptor.tag(y, TensorTags(tags.depth))


def average(interceptor: "Interceptor", func: Callable[..., Any], args: Args, kwargs: Kwargs) -> Tensor:
    """Means and sums of one tensor over axes or windows, and interpolation by means."""
    x, *rest = args or [kwargs.pop("input")]
    one = torch.ones((), dtype=x.dtype, device=x.device)
    layer = LinearLayer(lambda x, w: func(x, *rest, **kwargs) * w, one)
    rule = interceptor.composite.linear("pool", first=False, name="")
    return follow(interceptor, func.__name__, rule, layer, x, lambda: func(x, *rest, **kwargs))


HANDLERS = {
    **dict.fromkeys((*CONVOLUTIONS, *TRANSPOSED_CONVOLUTIONS), convolve),
    **dict.fromkeys(DENSE, multiply),
    **dict.fromkeys(BATCH_NORMALISATIONS, normalise_batch),
    **dict.fromkeys(AVERAGES, average),
    layer_minus_constant: without,
}
