"""The operations of torch: their names, their arguments by name, and what works in place."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import resolve_name


def operation_name(func: Callable[..., Any]) -> str:
    """`torch.nn.functional.relu`, as a user would look it up."""
    try:
        return str(resolve_name(func) or func.__name__)
    except Exception:  # whatever torch cannot name
        return repr(func)


def bound(func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Arguments by name: by the function's own signature where it has one, else by the names given."""
    signature = _signature(func)
    if signature is None:
        return {**dict(zip(names, args, strict=False)), **kwargs}
    found = signature.bind(*args, **kwargs)
    found.apply_defaults()
    return dict(found.arguments)


@cache
def _signature(func: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(func)
    except (TypeError, ValueError):
        return None


def writes(func: Callable[..., Any]) -> bool:
    """Whether a function changes its argument in place."""
    name = getattr(func, "__name__", "")
    return name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))


T = Tensor
OUT_OF_PLACE: Mapping[Callable[..., Any], Callable[..., Any]] = {
    T.add_: T.add,
    T.__iadd__: T.add,
    T.sub_: T.sub,
    T.__isub__: T.sub,
    T.mul_: T.mul,
    T.__imul__: T.mul,
    T.div_: T.div,
    T.__itruediv__: T.div,
    T.relu_: T.relu,
    torch.relu_: torch.relu,
    F.relu_: F.relu,
    T.sigmoid_: T.sigmoid,
    torch.sigmoid_: torch.sigmoid,
    T.tanh_: T.tanh,
    torch.tanh_: torch.tanh,
    T.clamp_: T.clamp,
    torch.clamp_: torch.clamp,
    torch.clamp_min_: torch.clamp_min,
    torch.clamp_max_: torch.clamp_max,
    T.clamp_min_: T.clamp_min,
    T.clamp_max_: T.clamp_max,
    F.leaky_relu_: F.leaky_relu,
    F.elu_: F.elu,
    F.selu_: F.selu,
    F.celu_: F.celu,
    F.hardtanh_: F.hardtanh,
}
"""What works in place → the same out of place."""
