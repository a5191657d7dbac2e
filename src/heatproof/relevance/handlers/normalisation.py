"""Normalisations of a sample by its own statistics: y = (x − m) w / s + b, m and s of the sample's own values."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from heatproof.numerics.average_jacobian import SMOOTH
from heatproof.relevance.handlers.linear_layers import normalise_batch
from heatproof.relevance.linear import LinearLayer
from heatproof.tracing.catalogue import bound

if TYPE_CHECKING:
    from heatproof.relevance.interceptor import Interceptor

_CENTRED = (F.layer_norm, F.group_norm, F.instance_norm)
_SCALED = (F.rms_norm, F.normalize, F.local_response_norm)
"""Without a mean: y = x s(x)."""


def normalise(interceptor: "Interceptor", func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Tensor:
    """By the composite's rule for such normalisations, given the spread s as it is for this sample."""
    given = bound(func, args, kwargs, ())
    if given.get("use_input_stats") is False:
        return normalise_batch(interceptor, func, args, kwargs)
    rule = interceptor.composite.layer_norm
    if rule is None:
        return interceptor.differentiate(SMOOTH, func, args, kwargs)

    def back(inputs: Sequence[Tensor], _: Tensor, above: Tensor) -> list[Tensor]:
        at = {**given, "input": inputs[0]}
        return [rule.backward(inputs[0], _centred(func, at) if func in _CENTRED else _scaled(func, at), above)]

    return interceptor.ruled(func.__name__, partial(func, *args, **kwargs), back, [given["input"]])


def _centred(func: Callable[..., Any], given: dict[str, Any]) -> LinearLayer:
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
    x = given["input"]
    return LinearLayer(torch.mul, torch.where(x != 0, func(**given) / x, 0.0))


HANDLERS = dict.fromkeys([*_CENTRED, *_SCALED], normalise)
