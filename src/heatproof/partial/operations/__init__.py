"""How torch's operations are computed on the affected region of a tensor: one kind of operation per file."""

from collections.abc import Callable
from functools import cache
from typing import Any

from heatproof.partial.operations import elementwise, resampling, shape_ops, sliding_window
from heatproof.partial.operations.base import RegionResult, TracedCall


@cache
def _table() -> dict[Any, Callable[[TracedCall], RegionResult | None]]:
    return {func: handle for kind in (sliding_window, resampling, elementwise, shape_ops) for func, handle in kind.HANDLERS.items()}


def handler(func: Callable[..., Any]) -> Callable[[TracedCall], RegionResult | None] | None:
    """Return the handler of a torch function; None for a function that needs full tensors."""
    return _table().get(func)
