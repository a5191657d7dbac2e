"""Linear operations: layers with weights, batch normalisation by running statistics, averages."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from heatproof.core.errors import ModelError
from heatproof.relevance.composites.base import LinearKind
from heatproof.relevance.handler_context import HandlerContext
from heatproof.relevance.linear import LinearLayer
from heatproof.relevance.rules import LinearRule, SharingRule
from heatproof.relevance.tensor_tags import ProducingLayer, TensorTags
from heatproof.tracing.catalogue import (
    AVERAGES,
    BATCH_NORMALISATIONS,
    CONVOLUTION_ARGUMENTS,
    CONVOLUTIONS,
    DENSE,
    GRID_SAMPLES,
    NATIVE_BATCH_NORM,
    TRANSPOSED_CONVOLUTION_ARGUMENTS,
    TRANSPOSED_CONVOLUTIONS,
)
from heatproof.tracing.expressions import fits
from heatproof.tracing.layer_minus_constant import layer_minus_constant
from heatproof.tracing.signatures import bind_arguments

Args = Sequence[Any]
Kwargs = dict[str, Any]


def convolve(
    context: HandlerContext, func: Callable[..., Any], args: Args, kwargs: Kwargs, constant: Tensor | None = None
) -> Tensor:
    """Convolutions and transposed convolutions of one to three axes; a constant is subtracted from the result."""
    transposed = func in TRANSPOSED_CONVOLUTIONS
    names = TRANSPOSED_CONVOLUTION_ARGUMENTS if transposed else CONVOLUTION_ARGUMENTS
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    x, weight, bias = given.pop("input"), given.pop("weight"), given.pop("bias", None)
    shape = (-1, *[1] * (weight.ndim - 2))
    layer = LinearLayer(
        lambda x, w: func(x, w, None, **given),
        weight,
        None if bias is None else bias.view(shape),
        outputs=(1 if given.get("groups", 1) == 1 else None) if transposed else 0,
        axis=x.ndim - weight.ndim + 1,
    )
    return with_weights(context, "convolution", layer, x, partial(func, *args, **kwargs), constant)


def dense(context: HandlerContext, func: Callable[..., Any], args: Args, kwargs: Kwargs, constant: Tensor | None = None) -> Tensor:
    """Dense layers, y = x Wᵀ + b over the last axis; a constant is subtracted from the result."""
    given = {**dict(zip(("input", "weight", "bias"), args, strict=False)), **kwargs}
    x, weight, bias = given["input"], given["weight"], given.get("bias")
    layer = LinearLayer(lambda x, w: F.linear(x, w), weight, bias, outputs=0, axis=x.ndim - 1)
    return with_weights(context, "dense", layer, x, partial(func, *args, **kwargs), constant)


def minus_constant(context: HandlerContext, _: Callable[..., Any], args: Args, kwargs: Kwargs) -> Tensor:
    """A convolution or dense layer minus a constant, which counts as a part of the bias."""
    func, layer_args, layer_kwargs, constant = args
    return (dense if func in DENSE else convolve)(context, func, layer_args, layer_kwargs, constant)


def with_weights(
    context: HandlerContext, place: LinearKind, layer: LinearLayer, x: Tensor, run: Callable[[], Tensor], constant: Tensor | None
) -> Tensor:
    """The result of a layer with weights, by the rule of its place, with a record of the layer for a normalisation that follows."""
    if constant is not None:
        run = partial(layer_minus_constant, run, (), {}, constant)
        layer = replace(layer, bias=-constant if layer.bias is None else layer.bias - constant)
    weight = layer.weight
    if weight.requires_grad:
        raise ModelError(f"{place}: expected weights that do not depend on the input, got some that do; use torch.matmul or einsum")
    depth, name = context.tags(x).depth, context.module_name(weight)
    box = _limits(context, x) if depth == 0 and x.ndim > 1 else None
    layer = replace(layer, name=context.parameter_name(weight), box=box)
    rule = context.composite.linear(place, first=depth == 0, name=name)
    operation = f"{place} {name}".strip()
    y = follow_rule(context, operation, rule, layer, x, run)
    return context.set_tags(y, TensorTags(depth + 1, producer=ProducingLayer(operation, layer, x, rule)))


def with_constant(
    context: HandlerContext, run: Callable[[], Tensor], y: Tensor, factor: float, constant: Tensor | float
) -> Tensor | None:
    """The sum of a layer's result, times a factor, and a constant: one layer whose bias the constant is a part of.

    Args:
        context: The tracer.
        run: Computes the sum.
        y: The tensor that may be a layer's result.
        factor: The number that it is multiplied with.
        constant: The constant.

    Returns:
        The sum; None where no layer with a rule made y, or the constant makes it larger.
    """
    producer = context.tags(y).producer
    if producer is None or producer.rule is None or (factor != 1 and not isinstance(producer.rule, SharingRule)):
        return None
    added = torch.as_tensor(constant, dtype=None if isinstance(constant, Tensor) else y.dtype, device=y.device)
    if not fits(added.shape, y.shape):
        return None
    layer = producer.layer
    bias = added if layer.bias is None else factor * layer.bias + added
    layer = replace(layer, weight=layer.weight if factor == 1 else factor * layer.weight, bias=bias)
    biased = replace(producer, operation=f"{producer.operation}, biased", layer=layer)
    result = follow_rule(context, biased.operation, producer.rule, layer, producer.x, run)
    return context.set_tags(result, TensorTags(context.tags(y).depth, producer=biased))


def with_scale(context: HandlerContext, run: Callable[[], Tensor], y: Tensor, scale: Tensor | float) -> Tensor | None:
    """The product of a layer's result and a constant for each output: one layer with other weights.

    Args:
        context: The tracer.
        run: Computes the product.
        y: The tensor that may be a layer's result.
        scale: The constant.

    Returns:
        The product; None where no layer with a rule made y, or the constant is not one number for each output.
    """
    producer = context.tags(y).producer
    if producer is None or not isinstance(producer.rule, SharingRule) or producer.layer.outputs is None:
        return None
    factor, axis = (
        torch.as_tensor(scale, dtype=None if isinstance(scale, Tensor) else y.dtype, device=y.device),
        producer.layer.axis,
    )
    shape = [1] * (y.ndim - factor.ndim) + list(factor.shape)
    if not fits(factor.shape, y.shape) or any(n != 1 for k, n in enumerate(shape) if k != axis):
        return None
    along = [1] * producer.layer.weight.ndim
    along[producer.layer.outputs] = -1
    factor = factor.reshape(shape)
    bias = None if producer.layer.bias is None else factor * producer.layer.bias
    layer = replace(producer.layer, weight=producer.layer.weight * factor.reshape(along), bias=bias)
    scaled = replace(producer, operation=f"{producer.operation}, scaled", layer=layer)
    result = follow_rule(context, scaled.operation, producer.rule, layer, producer.x, run)
    return context.set_tags(result, TensorTags(context.tags(y).depth, producer=scaled))


def rearranged(producer: ProducingLayer, function: Callable[[Tensor], Tensor], y: Tensor, constants: bool) -> ProducingLayer | None:
    """The layer that made y, followed by a function that copies its values, beside constants or not.

    Args:
        producer: The layer.
        function: Copies the values of y.
        y: The layer's result.
        constants: Whether the function puts constants beside the values; they become a part of the bias.

    Returns:
        The layer; None where a rule reads its outputs one by one, or where a constant is not finite.
    """
    layer = producer.layer
    if not isinstance(producer.rule, SharingRule):
        return None
    bias, apply = None, lambda x, w: function(layer.apply(x, w))
    if constants:
        alone = function(torch.zeros_like(y))
        if not bool(alone.isfinite().all()):
            return None
        bias, apply = alone, lambda x, w: function(layer.apply(x, w)) - alone
    if layer.bias is not None:
        bias = function(torch.zeros_like(y) + layer.bias)  # laid out as y is, as a view may need
    return replace(producer, layer=replace(layer, apply=apply, bias=bias, outputs=None))


def follow_rule(
    context: HandlerContext, operation: str, rule: LinearRule | None, layer: LinearLayer, x: Tensor, run: Callable[[], Tensor]
) -> Tensor:
    """The operation's own result; x gets its relevance by the rule, or the ordinary gradient where there is none."""
    if rule is None:
        return run()
    return context.apply_rule(operation, run, lambda inputs, _, above: [rule.backward(inputs[0], layer, above)], [x])


def _limits(context: HandlerContext, x: Tensor) -> tuple[Tensor, Tensor] | None:
    """The limits of the network's input, if x still has its channels, or is the input flattened; else None."""
    if x.shape[1] == len(context.bounds.lower):
        return context.bounds.like(x)
    whole = context.input
    if whole is None or x.shape != whole.flatten(1).shape or not torch.equal(x.detach(), whole.flatten(1)):
        return None
    lower, upper = (limit.expand(1, *whole.shape[1:]).flatten(1) for limit in context.bounds.like(whole))
    return lower, upper


def normalise_batch(context: HandlerContext, func: Callable[..., Any], args: Args, kwargs: Kwargs) -> Tensor:
    """Batch normalisation: fused with the layer with weights that made its input; a layer of its own where no such layer did."""
    given = bind_arguments(func, args, kwargs, NATIVE_BATCH_NORM)
    x, training = given["input"], given.get("training", False)
    if training or given["running_mean"] is None:
        raise ModelError("batch normalisation: expected running statistics, got those of the batch; rows would see each other")
    mean, variance = given["running_mean"], given["running_var"]
    scale = (variance + given["eps"]).rsqrt() * (1 if given["weight"] is None else given["weight"])
    shift = -mean * scale + (0 if given["bias"] is None else given["bias"])
    tags, run = context.tags(x), partial(func, *args, **kwargs)
    producer = tags.producer
    if producer is not None and producer.rule is not None and producer.layer.outputs is not None and producer.layer.axis == 1:
        fused = replace(producer, operation=f"{producer.operation}, normalised", layer=producer.layer.then(scale, shift, x.ndim))
        y = follow_rule(context, fused.operation, fused.rule, fused.layer, fused.x, run)
        return context.set_tags(y, TensorTags(tags.depth, producer=fused))
    shape = (1, -1, *[1] * (x.ndim - 2))
    layer = LinearLayer(torch.mul, scale.view(shape), shift.view(shape))
    rule = context.composite.linear("normalisation", first=False, name="")
    y = follow_rule(context, "normalisation", rule, layer, x, run)
    return context.set_tags(y, TensorTags(tags.depth))


def average(context: HandlerContext, func: Callable[..., Any], args: Args, kwargs: Kwargs) -> Tensor:
    """Means and sums of one tensor over axes or windows, and interpolation."""
    x, *rest = args or [kwargs.pop("input")]
    one = torch.ones((), dtype=x.dtype, device=x.device)
    layer = LinearLayer(lambda x, w: func(x, *rest, **kwargs) * w, one)
    rule = context.composite.linear("pool", first=False, name="")
    return follow_rule(context, func.__name__, rule, layer, x, lambda: func(x, *rest, **kwargs))


def sample_grid(context: HandlerContext, func: Callable[..., Any], args: Args, kwargs: Kwargs) -> Tensor:
    """Interpolation at the places of a grid: linear in the values. A grid that depends on the input gets no relevance, as a
    gate gets none; an average slope is known for a constant grid only.
    """
    names = ("input", "grid", "interpolation_mode", "padding_mode", "align_corners")
    given = bind_arguments(func, args, kwargs, names)
    values, grid = (given.pop(name) for name in names[:2])

    def run() -> Tensor:
        y: Tensor = func(values, grid, **given)
        return y

    if not context.composite.relevance and context.reference is None:
        return run()
    if not values.requires_grad or (context.reference is not None and grid.requires_grad):
        raise ModelError(
            f"{func.__name__}: expected values that depend on the input, at places that do not, got places that do, for which "
            "there is no rule; use a method by gradients, such as integrated gradients"
        )
    if not context.composite.relevance:
        return run()  # linear, so that the gradient is the average slope
    one, held = torch.ones((), dtype=values.dtype, device=values.device), grid.detach()
    layer = LinearLayer(lambda x, w: func(x, held, **given) * w, one)
    rule = context.composite.linear("pool", first=False, name="")
    return follow_rule(context, func.__name__, rule, layer, values, run)


HANDLERS = {
    **dict.fromkeys((*CONVOLUTIONS, *TRANSPOSED_CONVOLUTIONS), convolve),
    **dict.fromkeys(DENSE, dense),
    **dict.fromkeys(BATCH_NORMALISATIONS, normalise_batch),
    **dict.fromkeys(AVERAGES, average),
    **dict.fromkeys(GRID_SAMPLES, sample_grid),
    layer_minus_constant: minus_constant,
}
