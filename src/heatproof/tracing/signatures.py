"""The names of torch functions and of their arguments."""

import inspect
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from torch import Tensor
from torch.overrides import resolve_name
from torch.utils._pytree import tree_flatten, tree_unflatten


def operation_name(func: Callable[..., Any]) -> str:
    """The full name of a torch function as a user would look it up, such as `torch.nn.functional.relu`."""
    try:
        return str(resolve_name(func) or func.__name__)
    except Exception:  # torch raises various errors for functions that it cannot name
        return repr(func)


def function_of_tensors(
    func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], chosen: Callable[[Tensor], bool]
) -> tuple[Callable[..., Any], list[Tensor]]:
    """A call as a function of some of its tensors.

    Args:
        func: The function that is called.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        chosen: Which tensors are the function's arguments; all others stay as they are.

    Returns:
        The function, and the chosen tensors in order.
    """
    leaves, structure = tree_flatten((args, kwargs))
    places = [k for k, leaf in enumerate(leaves) if isinstance(leaf, Tensor) and chosen(leaf)]

    def function(*inputs: Tensor) -> Any:
        given = dict(zip(places, inputs, strict=True))
        args, kwargs = tree_unflatten([given.get(k, leaf) for k, leaf in enumerate(leaves)], structure)
        return func(*args, **kwargs)

    return function, [leaves[k] for k in places]


def bind_arguments(func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The arguments of a call by name.

    Args:
        func: The function that is called.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        names: Names of the positional arguments, in order, for functions written in C++, which have no signature.

    Returns:
        Name → value. Where the function has a signature, the defaults of missing arguments are filled in; otherwise only the
        arguments that were given are there.
    """
    signature = _signature(func)
    if signature is None:
        return {**dict(zip(names, args, strict=False)), **kwargs}
    arguments = signature.bind(*args, **kwargs)
    arguments.apply_defaults()
    return dict(arguments.arguments)


@cache
def _signature(func: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(func)
    except (TypeError, ValueError):
        return None
