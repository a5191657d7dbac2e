"""What is known of a call of torch: its name, its arguments by name, and the tags of the tensors that go into it."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.overrides import resolve_name

from heatproof.surgery.linear import Linear
from heatproof.surgery.rules import LinearRule


@dataclass(frozen=True)
class Made:
    """The layer with weights that made a tensor, its input and its rule: what a batch normalisation after it is fused with."""

    operation: str
    layer: Linear
    x: Tensor
    rule: LinearRule | None


@dataclass(frozen=True)
class Tags:
    """What is known of a tensor that depends on the input."""

    depth: int = 0
    """Layers with weights on the way here."""
    gate: bool = False
    """Whether a sigmoid or its like made it."""
    made: Made | None = None


def operation_name(func: Callable[..., Any]) -> str:
    """`torch.nn.functional.relu`, as a user would look it up."""
    try:
        return str(resolve_name(func) or func.__name__)
    except Exception:  # whatever torch cannot name
        return repr(func)


def bound(func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Arguments by name: by the function's own signature where it has one, else by the names given."""
    try:
        signature = inspect.signature(func)
    except (TypeError, ValueError):
        return {**dict(zip(names, args, strict=False)), **kwargs}
    found = signature.bind(*args, **kwargs)
    found.apply_defaults()
    return dict(found.arguments)


def writes(func: Callable[..., Any]) -> bool:
    """Whether a function changes its argument in place."""
    name = getattr(func, "__name__", "")
    return name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))
