"""Handlers of torch operations for backward rules, one kind of operation a file. `handler` looks up the one for a function."""

from collections.abc import Callable
from functools import cache
from typing import Any

from heatproof.relevance.handler_context import Handler
from heatproof.relevance.handlers import (
    activations,
    arithmetic,
    attention,
    homogeneous,
    linear_layers,
    normalisation,
    order,
    recurrent,
    scattered,
    shape_ops,
)


@cache
def _table() -> dict[Callable[..., Any], Handler]:
    kinds = (shape_ops, order, linear_layers, scattered, normalisation, homogeneous, activations, arithmetic, attention, recurrent)
    return {func: handle for kind in kinds for func, handle in kind.HANDLERS.items()}


def handler(func: Callable[..., Any]) -> Handler | None:
    """The handler of a torch function; None for a function that has none."""
    return _table().get(func)
