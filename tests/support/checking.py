"""The run-time checker of shapes and types that the import hook puts on every function of the packages with tensors."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from beartype import BeartypeConf, beartype
from jaxtyping import config

_check = beartype(
    conf=BeartypeConf(is_random=False, is_pep484_tower=True)
)  # by default it draws which item of a list to check, from the global generator


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Beartype, with `Self` left unchecked: it has a meaning on a decorated class only, and jaxtyping decorates functions."""
    if config.jaxtyping_disable:
        return function
    function.__annotations__ = {name: Any if hint is Self else hint for name, hint in function.__annotations__.items()}
    return _check(function)


@contextmanager
def shapes_checked(active: bool) -> Iterator[None]:
    """Inside, shapes and types are checked or, as for a user, not; a test that calls thousands of functions is then several times
    as fast.
    """
    before = config.jaxtyping_disable
    config.update("jaxtyping_disable", not active)
    try:
        yield
    finally:
        config.update("jaxtyping_disable", before)
