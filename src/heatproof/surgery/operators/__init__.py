"""What torch's operations mean to a rule. One kind of operation a file; `handler` finds the one for a function."""

from collections.abc import Callable
from functools import cache
from typing import Any

from heatproof.surgery.operators import activations, attention, combining, layers, measures, moving, norms, recurrent

Handler = Callable[..., Any]
"""(interceptor, func, args, kwargs) → result."""


@cache
def _table() -> dict[Any, Handler]:
    kinds = (moving, layers, norms, measures, activations, combining, attention, recurrent)
    return {func: handle for kind in kinds for func, handle in kind.HANDLERS.items()}


def handler(func: Callable[..., Any]) -> Handler | None:
    """How a function of torch is handled; None for one that is unknown."""
    return _table().get(func)
