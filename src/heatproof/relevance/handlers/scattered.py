"""Sums and other reductions of values at places that an index names: index_add, scatter_add, scatter_reduce.

    y = f(t, v) = f(t, 0) + f(0, v)      v the values, t the tensor that they are added to

A sum and a mean are linear in t and v together, since the index alone gives the number of values. Each term follows the rule for
means and sums, and relevance is split between them first where both depend on the input. Extrema pass it to the chosen values.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from heatproof.core.errors import ModelError
from heatproof.numerics.average_jacobian import maxima, minima
from heatproof.relevance.handler_context import HandlerContext
from heatproof.relevance.handlers.decomposed import decomposed
from heatproof.relevance.handlers.linear_layers import follow_rule
from heatproof.relevance.linear import LinearLayer
from heatproof.tracing.catalogue import SCATTERED_IN_PLACE, SCATTERED_REDUCTIONS, SCATTERED_SUMS, with_in_place
from heatproof.tracing.signatures import operation_name

_INDEX_ADD = ("input", "dim", "index", "source", "alpha")
_SCATTER = ("input", "dim", "index", "src", "reduce", "include_self")


def scatter(context: HandlerContext, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Tensor:
    """The values of one tensor, added to another or reduced with it."""
    in_place, func = func in SCATTERED_IN_PLACE, SCATTERED_IN_PLACE.get(func, func)
    names = _INDEX_ADD if "index_add" in func.__name__ else _SCATTER
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    y = _scattered(context, func, given, names[3])
    return context.replace_in_place(given["input"], y) if in_place else y


def _scattered(context: HandlerContext, func: Callable[..., Any], given: dict[str, Any], source: str) -> Tensor:
    to, values, reduction = given["input"], given[source], given.get("reduce", "sum")
    rest = {name: value for name, value in given.items() if name not in ("input", source)}

    def run(to: Tensor, values: Tensor) -> Tensor:
        return _call(func, to, values, rest)

    if reduction in ("amax", "amin"):
        return context.differentiate(maxima if reduction == "amax" else minima, run, (to, values), {})
    if not context.composite.relevance and (context.reference is None or reduction in ("sum", "mean")):
        return run(to, values)  # for sums and means, which are linear, the gradient is the average slope as well
    if reduction not in ("sum", "mean"):
        raise ModelError(
            f"{func.__name__}: expected sums, means or extrema, got reduce={reduction!r}, a product of as many values as the index "
            "says, for which there is no rule; use a method by gradients, such as integrated gradients"
        )
    if to.requires_grad and values.requires_grad:
        y: Tensor = decomposed(context, operation_name(func), partial(run, to, values), partial(_terms, run), [to, values])
        return y
    moving, nothing = (to, torch.zeros_like(values)) if to.requires_grad else (values, torch.zeros_like(to))
    one = torch.ones((), dtype=moving.dtype, device=moving.device)
    layer = LinearLayer(lambda x, w: (run(x, nothing) if to.requires_grad else run(nothing, x)) * w, one)
    rule = context.composite.linear("pool", first=False, name="")
    return follow_rule(context, func.__name__, rule, layer, moving, partial(run, to, values))


def _terms(run: Callable[[Tensor, Tensor], Tensor], to: Tensor, values: Tensor) -> Tensor:
    return run(to, torch.zeros_like(values)) + run(torch.zeros_like(to), values)


def _call(func: Callable[..., Any], to: Tensor, values: Tensor, rest: dict[str, Any]) -> Tensor:
    named = {name: value for name, value in rest.items() if name not in ("dim", "index")}
    reduce = [named.pop("reduce")] if "reduce" in named else []
    result: Tensor = func(to, rest["dim"], rest["index"], values, *reduce, **named)
    return result


HANDLERS = dict.fromkeys(with_in_place((*SCATTERED_SUMS, *SCATTERED_REDUCTIONS)), scatter)
