"""What torch's operations do to a part of a tensor. One kind of operation a file; `handler` finds the one for a function."""

from collections.abc import Callable
from functools import cache
from typing import Any

from heatproof.surgery.locality import moving, pointwise, resampling, sliding
from heatproof.surgery.locality.part import Call, Local


@cache
def _table() -> dict[Any, Callable[[Call], Local | None]]:
    return {func: handle for kind in (sliding, resampling, pointwise, moving) for func, handle in kind.HANDLERS.items()}


def handler(func: Callable[..., Any]) -> Callable[[Call], Local | None] | None:
    """How a function of torch is done on a part; None for one that needs the tensors as a whole."""
    return _table().get(func)
