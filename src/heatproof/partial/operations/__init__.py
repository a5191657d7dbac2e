"""What torch's operations do to a part of a tensor. One kind of operation a file; `handler` finds the one for a function."""

from collections.abc import Callable
from functools import cache
from typing import Any

from heatproof.partial.operations import elementwise, resampling, shape_ops, sliding_window
from heatproof.partial.region import RegionResult, TracedCall


@cache
def _table() -> dict[Any, Callable[[TracedCall], RegionResult | None]]:
    return {func: handle for kind in (sliding_window, resampling, elementwise, shape_ops) for func, handle in kind.HANDLERS.items()}


def handler(func: Callable[..., Any]) -> Callable[[TracedCall], RegionResult | None] | None:
    """How a function of torch is done on a part; None for one that needs the tensors as a whole."""
    return _table().get(func)
