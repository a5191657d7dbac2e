"""The content hash of what a network in memory consists of besides its weights: its source code and its plain attributes.

A class or function of the user's own modules counts with the whole module and what that imports, as for the loader `imported`. One
of a script or a notebook counts with its own code and with what this code refers to, because a script also says what is done with
the network. Code of installed packages does not count.
"""

import dis
import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from heatproof.models.loaders.source_files import is_installed, source_digest
from heatproof.models.model import content_bytes

_BOOKKEEPING = frozenset(("training", *vars(nn.Module())))
_GLOBAL = ("LOAD_GLOBAL", "LOAD_NAME")


def source_hash(*values: Any) -> str:
    """The content hash of the source code of classes and functions, and of the values of plain objects."""
    walk = _Walk()
    walk.add("values", values)
    return walk.digest()


def object_digest(module: nn.Module, *functions: Any) -> str:
    """The content hash of the code and of the plain attributes of a network, and of further functions such as its output.

    >>> import torch
    >>> from heatproof.models.loaders.object_source import object_digest
    >>> object_digest(torch.nn.Dropout(0.1)) == object_digest(torch.nn.Dropout(0.1)) != object_digest(torch.nn.Dropout(0.2))
    True
    """
    walk = _Walk()
    for part in module.modules():
        walk.add("module", type(part))
        code = getattr(part, "code", None)  # of scripted and traced modules
        walk.add("code", code if isinstance(code, str) else None)
        walk.add("hooks", [*part._forward_pre_hooks.values(), *part._forward_hooks.values()])
        walk.add("buffers", {name: part._buffers[name] for name in sorted(part._non_persistent_buffers_set)})
        walk.add("attributes", {name: value for name, value in sorted(vars(part).items()) if name not in _BOOKKEEPING})
    walk.add("functions", functions)
    return walk.digest()


class _Walk:
    """Collects the content of values, each object once."""

    def __init__(self) -> None:
        self._state = hashlib.sha256()
        self._seen: dict[int, Any] = {}
        self._modules: set[str] = set()

    def digest(self) -> str:
        return self._state.hexdigest()[:32]

    def add(self, name: str, value: Any) -> None:
        """Add a named value, and all that it consists of."""
        self._text(name)
        if value is None or isinstance(value, bool | int | float | complex | str | bytes | torch.dtype | torch.device):
            self._text(repr(value))
        elif id(value) not in self._seen:
            self._seen[id(value)] = value  # which keeps it, so that no other object gets its id
            self._add_object(value)

    def _add_object(self, value: Any) -> None:
        match value:
            case Tensor():
                self._text(f"{value.dtype} {list(value.shape)}")
                self._state.update(content_bytes(value))
            case np.ndarray():
                self._text(f"{value.dtype} {value.shape}")
                self._state.update(value.tobytes() if value.dtype != object else repr(value.tolist()).encode())
            case Mapping():
                self._add_all((str(key), each) for key, each in value.items())
            case list() | tuple():
                self._add_all((str(index), each) for index, each in enumerate(value))
            case set() | frozenset():
                self._text(str(sorted(map(repr, value))))
            case type():
                self._add_class(value)
            case FunctionType():
                self._add_function(value)
            case BuiltinFunctionType():
                self._text(f"{value.__module__}.{value.__qualname__}")
            case MethodType():
                self._add_all((("of", value.__self__), ("method", value.__func__)))
            case partial():
                self._add_all((("of", value.func), ("arguments", value.args), ("keywords", value.keywords)))
            case ModuleType():
                self._text(value.__name__)
                self._lives_in_session(value.__name__)
            case CodeType():
                self._state.update(value.co_code)
                self._add_all((("names", value.co_names), ("constants", value.co_consts)))
            case _:
                text = repr(value)
                self._text("" if " at 0x" in text else text)
                self.add("type", type(value))
                self._add_all(sorted(vars(value).items()) if hasattr(value, "__dict__") else ())

    def _add_all(self, entries: Iterable[tuple[str, Any]]) -> None:
        for name, each in entries:
            self.add(name, each)

    def _add_class(self, cls: type) -> None:
        self._text(f"{cls.__module__}.{cls.__qualname__}")
        self._add_all(("base", base) for base in cls.__mro__[1:])
        if self._lives_in_session(cls.__module__):
            for name, member in sorted(vars(cls).items()):
                if name not in ("__dict__", "__weakref__", "__doc__"):
                    self.add(name, getattr(member, "__func__", getattr(member, "fget", member)))

    def _add_function(self, function: FunctionType) -> None:
        self._text(f"{function.__module__}.{function.__qualname__}")
        self._add_all((("defaults", function.__defaults__), ("keyword defaults", function.__kwdefaults__), *_closed_over(function)))
        if self._lives_in_session(function.__module__):
            self.add("code", function.__code__)
            known = function.__globals__
            self._add_all((name, known[name]) for name in _global_names(function.__code__) if name in known)

    def _lives_in_session(self, module: str) -> bool:
        """Whether a module is a script or a notebook, of which only parts count; the files of any other own module are added."""
        file = getattr(sys.modules.get(module), "__file__", None)
        if module == "__main__" or (file is None and module not in sys.builtin_module_names):
            return True
        if file is not None and not is_installed(file) and module not in self._modules:
            self._modules.add(module)
            self._text(source_digest(module))
        return False

    def _text(self, text: str) -> None:
        self._state.update(f"{len(text)} {text}".encode())


def _closed_over(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """The values of the variables that a function takes from the function around it."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # it has no value yet
            continue


def _global_names(code: CodeType) -> Iterator[str]:
    """The global names that a piece of code, and the functions inside it, may read."""
    yield from sorted({step.argval for step in dis.get_instructions(code) if step.opname in _GLOBAL})
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _global_names(constant)
