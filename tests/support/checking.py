"""The run-time checker of shapes and types that the import hook puts on every function of the packages with tensors.

What is checked of a call depends on nothing but the types of its arguments and of its result, and on the shapes and element types
of tensors among them; and only on those of which the hints say anything. A call whose types and shapes have been checked already
would pass again, so it is not checked again: on tiny networks the checks took two thirds of all the time.
"""

import functools
import inspect
import threading
import types
import typing
from abc import ABCMeta
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import jaxtyping
import numpy as np
import torch
from beartype import BeartypeConf, beartype
from jaxtyping import config
from torch._C import _is_torch_function_mode_enabled

_check = beartype(
    conf=BeartypeConf(is_random=False, is_pep484_tower=True)
)  # by default it draws which item of a list to check, from the global generator
_jaxtyped = jaxtyping.jaxtyped

SHORT = 32
"""Longer collections are checked at every call."""


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Beartype, with `Self` left unchecked: it has a meaning on a decorated class only, and jaxtyping decorates functions."""
    if config.jaxtyping_disable:
        return function
    function.__annotations__ = {name: Any if hint is Self else hint for name, hint in function.__annotations__.items()}
    return _check(function)


class Unknown(Exception):
    """What a hint may say of this value is not to be read off its type."""


class _Readers(dict[type, Callable[[Any], Hashable]]):
    """How to read the kind of a value, by its type. No cache of functools, which torch.compile warns about where it looks into
    functions.
    """

    def __missing__(self, own: type) -> Callable[[Any], Hashable]:
        self[own] = _reader(own)
        return self[own]


_readers = _Readers()


def kind(value: Any) -> Hashable:
    """All that a hint can say of a value: its type; of a tensor or array, shape and element type too; of a list, tuple or
    dictionary, the kinds of what is in it; of words, truth values and classes, which one it is.
    """
    return _readers[type(value)](value)


def _of_tensor(value: Any) -> Hashable:
    """Asking for a shape is no operation of a network that is followed."""
    if type(value) is torch.Tensor and not _is_torch_function_mode_enabled():
        return torch.Tensor, value.dtype, value.shape
    with torch._C.DisableTorchFunction():
        return type(value), value.dtype, value.shape


def _of_items(value: Any) -> Hashable:
    if len(value) > SHORT:
        raise Unknown
    return type(value), *[_readers[type(each)](each) for each in value]


def _of_dictionary(value: Any) -> Hashable:
    if len(value) > SHORT:
        raise Unknown
    return dict, *[(kind(name), kind(item)) for name, item in value.items()]


def _of_value(value: Any) -> Hashable:
    return type(value), value


def _of_unknown(value: Any) -> Hashable:
    raise Unknown


def _reader(own: type) -> Callable[[Any], Hashable]:
    """How to read the kind of a value of this type."""
    if issubclass(own, (torch.Tensor, np.ndarray)):
        return _of_tensor
    if own is list or issubclass(own, tuple):
        return _of_items
    if own is dict:
        return _of_dictionary
    if own in (str, bool, range) or issubclass(own, type):
        return _of_value
    return _of_unknown if issubclass(own, (Collection, Sequence)) and own is not bytes else type


def _of_nothing(value: Any) -> Hashable:
    return ()


def _reader_for(hint: Any) -> Callable[[Any], Hashable]:
    """How to read of a value what this hint can say of it."""
    if hint in (Any, Self, object, inspect.Signature.empty):
        return _of_nothing
    return type if _is_of_types(hint) else kind


def _is_of_types(hint: Any) -> bool:
    """Whether the type of a value alone decides whether the hint holds, whatever is in the value."""
    if hint in (None, Any, torch.Tensor):
        return True
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return all(map(_is_of_types, typing.get_args(hint)))
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is not None:
        return origin is Callable or (origin in (list, tuple, Sequence) and parts in ((Any,), (Any, ...)))
    return (type(hint) is type or isinstance(hint, ABCMeta)) and not getattr(hint, "_is_protocol", False)


class Checker:
    """Jaxtyping's decorator on whatever has the signature of one function, and the calls of it that have passed."""

    def __init__(self, function: types.FunctionType, typechecker: Any) -> None:
        self.passed: dict[Hashable, set[Hashable]] = {}
        self._now = threading.local()
        now = self._now

        def run(*args: Any, **kwargs: Any) -> Any:
            return now.function(*args, **kwargs)

        same = types.FunctionType(run.__code__, function.__globals__, function.__name__, None, run.__closure__)
        functools.update_wrapper(same, function)
        del same.__wrapped__  # a function that is defined anew at each call holds what that call held
        same.__signature__ = inspect.signature(function)
        self._checked = _jaxtyped(same, typechecker=typechecker)
        parameters = same.__signature__.parameters.values()
        self.by_name = {each.name: _reader_for(each.annotation) for each in parameters}
        self.by_place: list[Callable[[Any], Hashable]] = []
        for each in parameters:
            if each.kind not in (each.KEYWORD_ONLY, each.VAR_KEYWORD):
                self.by_place += [self.by_name[each.name]] * (SHORT if each.kind is each.VAR_POSITIONAL else 1)
        self.result = _reader_for(same.__signature__.return_annotation)

    def __call__(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The function's result, arguments and result checked."""
        __tracebackhide__ = True
        self._now.function = function
        try:
            return self._checked(*args, **kwargs)
        finally:
            self._now.function = None


_checkers: dict[Hashable, Checker] = {}
"""By the code of a function and its file: one that is defined inside another is defined anew at each call of that."""


def _checker(function: types.FunctionType, typechecker: Any) -> Checker:
    key = function.__code__.co_filename, function.__code__
    if key not in _checkers:
        _checkers[key] = Checker(function, typechecker)
    return _checkers[key]


def once_a_kind(function: Any = None, *, typechecker: Any) -> Any:
    """Jaxtyping's decorator; a call is checked unless one of the same kinds has passed."""
    if function is None:
        return functools.partial(once_a_kind, typechecker=typechecker)
    if not isinstance(function, types.FunctionType):
        return _jaxtyped(function, typechecker=typechecker)
    checkers: list[Checker] = []

    @functools.wraps(function)
    def once(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if config.jaxtyping_disable:
            return function(*args, **kwargs)
        if not checkers:
            checkers.append(_checker(function, typechecker))
        check = checkers[0]
        try:
            if len(args) > len(check.by_place):
                raise Unknown
            given: Hashable = tuple([read(value) for read, value in zip(check.by_place, args, strict=False)])
            if kwargs:
                given = given, *[(name, check.by_name.get(name, kind)(value)) for name, value in kwargs.items()]
        except Unknown:
            return check(function, args, kwargs)
        known = check.passed.get(given)
        result = check(function, args, kwargs) if known is None else function(*args, **kwargs)
        try:
            found = check.result(result)
        except Unknown:
            found = None
        if known is None:
            known = check.passed.setdefault(given, set())
        elif found in known:
            return result
        else:
            check(lambda *_, **__: result, args, kwargs)
        if found is not None:
            known.add(found)
        return result

    return once


jaxtyping.jaxtyped = once_a_kind


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
