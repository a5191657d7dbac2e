"""What torch's operations mean to a rule. One kind of operation a file; `handler` finds the one for a function."""

from collections.abc import Callable
from functools import cache
from typing import Any

from heatproof.relevance.handlers import (
    activations,
    arithmetic,
    attention,
    homogeneous,
    linear_layers,
    normalisation,
    recurrent,
    shape_ops,
)

Handler = Callable[..., Any]
"""(interceptor, func, args, kwargs) → result."""


@cache
def _table() -> dict[Any, Handler]:
    kinds = (shape_ops, linear_layers, normalisation, homogeneous, activations, arithmetic, attention, recurrent)
    return {func: handle for kind in kinds for func, handle in kind.HANDLERS.items()}


def handler(func: Callable[..., Any]) -> Handler | None:
    """How a function of torch is handled; None for one that is unknown."""
    return _table().get(func)
