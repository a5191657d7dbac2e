"""Extrema, also with their places, and values in order: relevance goes to the values that were chosen.

The gradient carries it exactly, since every value of the result is a copy. Where there is a reference, other values may be the
chosen ones there; `numerics/average_jacobian.py` says which value takes the change.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from heatproof.core.errors import ModelError
from heatproof.numerics.average_jacobian import in_order, maxima, minima
from heatproof.relevance.handler_context import HandlerContext
from heatproof.tracing import catalogue
from heatproof.tracing.signatures import bind_arguments, function_of_tensors

_MINIMA = frozenset((*catalogue.PAIRWISE_MINIMA, *catalogue.MINIMA_OVER_AXES, *catalogue.MINIMA_WITH_PLACES))


def choose(context: HandlerContext, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """The largest or smallest values of windows, along axes, or of two tensors."""
    average = minima if func in _MINIMA else maxima
    if context.reference is None:
        return func(*args, **kwargs)
    _, inputs = function_of_tensors(func, args, kwargs, lambda x: x.requires_grad)
    if func not in (*catalogue.MAXIMA_WITH_PLACES, *catalogue.MINIMA_WITH_PLACES) or len(inputs) > 1:
        return context.differentiate(average, func, args, kwargs)
    return _with_places(context, func, args, kwargs, average)


def sort(context: HandlerContext, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """All values along an axis in order, or the first of them."""
    if context.reference is None:
        return func(*args, **kwargs)
    top = func in (torch.topk, Tensor.topk)
    given = bind_arguments(
        func, args, kwargs, ("input", "k", "dim", "largest", "sorted") if top else ("input", "dim", "descending")
    )
    descending = given.get("largest", True) if top else given.get("descending", False)
    if not given.get("sorted", True):
        raise ModelError("topk: expected values in order, got sorted=False, which may differ for the baseline; leave it out")
    return _with_places(context, func, args, kwargs, in_order(given.get("dim", -1), descending))


def _with_places(
    context: HandlerContext, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], average: Any
) -> Any:
    """An operation that gives values and their places: the values pass their average slope, and the places have none."""
    result = func(*args, **kwargs)
    if isinstance(result, Tensor):
        return context.differentiate(average, func, args, kwargs)
    values = context.differentiate(average, partial(_values, func), args, kwargs)
    return type(result)((values, result.indices))


def _values(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Tensor:
    values: Tensor = func(*args, **kwargs).values
    return values


HANDLERS = {
    **dict.fromkeys((*catalogue.MAX_POOLING, *catalogue.MAXIMA_OVER_AXES, *catalogue.MINIMA_OVER_AXES), choose),
    **dict.fromkeys((*catalogue.PAIRWISE_EXTREMA, *catalogue.MAXIMA_WITH_PLACES, *catalogue.MINIMA_WITH_PLACES), choose),
    **dict.fromkeys(catalogue.SORTS, sort),
}
