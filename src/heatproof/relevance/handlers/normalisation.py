"""Normalisations of a sample by its own statistics: y = (x − m) w / s + b, with m and s of the sample's own values."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from heatproof.numerics.average_jacobian import SMOOTH
from heatproof.relevance.handler_context import HandlerContext
from heatproof.relevance.handlers.linear_layers import normalise_batch
from heatproof.relevance.linear import LinearLayer
from heatproof.tracing.catalogue import CENTRED_NORMALISATIONS, SCALED_NORMALISATIONS
from heatproof.tracing.signatures import bind_arguments


def normalise(context: HandlerContext, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Tensor:
    """By the composite's rule for such normalisations, with the spread s taken as a constant of this sample."""
    given = bind_arguments(func, args, kwargs, ())
    if given.get("use_input_stats") is False:
        return normalise_batch(context, func, args, kwargs)
    rule = context.composite.layer_norm
    if rule is None:
        return context.differentiate(SMOOTH, func, args, kwargs)

    def back(inputs: Sequence[Tensor], _: Tensor, above: Tensor) -> list[Tensor]:
        at = {**given, "input": inputs[0]}
        layer = _centred(func, at) if func in CENTRED_NORMALISATIONS else _scaled(func, at)
        return [rule.backward(inputs[0], layer, above)]

    return context.apply_rule(func.__name__, partial(func, *args, **kwargs), back, [given["input"]])


def _centred(func: Callable[..., Any], given: dict[str, Any]) -> LinearLayer:
    """The normalisation as a linear layer: the mean is subtracted, and the weight is w / s."""
    x, weight, bias = given["input"], given["weight"], given["bias"]
    if func is F.layer_norm:
        shape, along = x.shape, tuple(range(-len(given["normalized_shape"]), 0))
    else:
        groups = given.get("num_groups", x.shape[1])
        shape, along = (len(x), groups, -1), (-1,)
        weight, bias = (None if each is None else each.view(-1, *[1] * (x.ndim - 2)) for each in (weight, bias))
    spread = (x.reshape(shape).var(along, correction=0, keepdim=True) + given["eps"]).sqrt()

    def apply(x: Tensor, scale: Tensor) -> Tensor:
        values = x.reshape(shape)
        return (values - values.mean(along, keepdim=True)).view_as(x) * scale

    scale = (1 / spread).expand(x.reshape(shape).shape).reshape(x.shape)
    return LinearLayer(apply, scale if weight is None else scale * weight, bias)


def _scaled(func: Callable[..., Any], given: dict[str, Any]) -> LinearLayer:
    """The normalisation without a mean as a linear layer: each value is multiplied by y / x."""
    x = given["input"]
    return LinearLayer(torch.mul, torch.where(x != 0, func(**given) / x, 0.0))


HANDLERS = dict.fromkeys((*CENTRED_NORMALISATIONS, *SCALED_NORMALISATIONS), normalise)
