"""The run-time checker of shapes and types that the import hook puts on every function of the packages with tensors.

What is checked of a call depends on nothing but the types of its arguments and of its result, and on the shapes and element types
of tensors among them. A call whose types and shapes have been checked already would pass again, so it is not checked again: on tiny
networks the checks took two thirds of all the time.
"""

import functools
import inspect
import itertools
import threading
import types
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self, Union, get_args, get_origin

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
    if "<locals>" in function.__qualname__:  # it is defined anew at each call of another one
        return function if config.jaxtyping_disable else _once(function, typechecker)
    if function.__closure__ is not None:  # its code holds variables of other functions
        return _once(function, typechecker)
    plain = types.FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__)
    plain.__kwdefaults__ = function.__kwdefaults__
    functools.update_wrapper(plain, function)
    del plain.__wrapped__
    function.__wrapped__ = plain
    function.__kwdefaults__ = {**(function.__kwdefaults__ or {}), "_once": _once(plain, typechecker)}
    _switched.append((function, plain.__code__))
    function.__code__ = plain.__code__ if config.jaxtyping_disable else _through_check.__code__
    return function


def _through_check(*args: Any, _once: Callable[..., Any], **kwargs: Any) -> Any:
    """The code of a function while calls are checked; `_once` is a default of the function, which its own code does not look at."""
    __tracebackhide__ = True
    return _once(*args, **kwargs)


_switched: list[tuple[types.FunctionType, types.CodeType]] = []
"""Functions that have their own code while calls are not checked, which then cost nothing more; and that code."""


def _once(function: types.FunctionType, typechecker: Any) -> Callable[..., Any]:
    """The function with its calls checked; itself where no hint says anything."""
    hints = function.__annotations__
    if all(hint is Any for hint in hints.values()):
        return function
    checkers: list[Checker] = []
    code, deep = function.__code__, {name: _is_deep(hint) for name, hint in hints.items()}
    by_place, result_is_deep = [deep.get(name, False) for name in code.co_varnames[: code.co_argcount]], deep.get("return", False)

    @functools.wraps(function)
    def once(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if config.jaxtyping_disable:
            return function(*args, **kwargs)
        if not checkers:
            checkers.append(_checker(function, typechecker))
        check = checkers[0]
        looks = by_place if len(args) <= len(by_place) else itertools.chain(by_place, itertools.repeat(True))
        try:
            each = zip(args, looks, strict=False)
            given: Hashable = tuple([_readers[type(value)](value) if look else type(value) for value, look in each])
            if kwargs:
                given = given, *[(name, kind(value) if deep.get(name, True) else type(value)) for name, value in kwargs.items()]
        except Unknown:
            return check(function, args, kwargs)
        known = check.passed.get(given)
        result = check(function, args, kwargs) if known is None else function(*args, **kwargs)
        try:
            found = kind(result) if result_is_deep else type(result)
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


def _is_deep(hint: Any) -> bool:
    """Whether more than the type of a value decides if it fits; only where this is plain to see is it said not to be so."""
    if hint in (Any, Self, None, Callable):
        return False
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(map(_is_deep, parts))
    if origin is Callable:
        return False
    if origin in (list, Sequence, Iterable, Iterator, tuple):
        return not all(part in (Any, ...) for part in parts)
    return not isinstance(hint, type) or origin is not None or issubclass(hint, (jaxtyping.AbstractArray, tuple))


jaxtyping.jaxtyped = once_a_kind


@contextmanager
def shapes_checked(active: bool) -> Iterator[None]:
    """Inside, shapes and types are checked or, as for a user, not; a test that calls thousands of functions is then several times
    as fast.
    """
    before = not config.jaxtyping_disable
    _switch(active)
    try:
        yield
    finally:
        _switch(before)


def _switch(active: bool) -> None:
    if config.jaxtyping_disable != active:
        return
    config.update("jaxtyping_disable", not active)
    for function, own in _switched:
        function.__code__ = _through_check.__code__ if active else own
