"""Objects that were given in Python, to which settings refer by a content hash: networks, images, methods and metrics.

A run consists of settings, which any process can read. An object has no settings that would build it again. It is therefore held
here while the run lasts, under a hash of its content, and the settings contain the hash. Processes of the run get the objects by
pickling, in memory: no file is unpickled.
"""

import io
import pickle
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

from heatproof.core.errors import UsageError
from heatproof.core.settings import Settings, content_hash

REMEDY = 'use executor="serial", or name it by an import path, module:callable'


@dataclass(frozen=True)
class HeldObject:
    """An object.

    Attributes:
        value: the object.
        label: what it is called in messages.
        code: the content hash of its source code, where its settings do not say all that decides its numbers.
    """

    value: object
    label: str
    code: str = ""


_held: dict[str, HeldObject] = {}
_received: list[bytes] = []


@contextmanager
def holding(objects: Mapping[str, HeldObject]) -> Iterator[None]:
    """Inside, settings can refer to the objects by their keys; afterwards none of them stays.

    >>> from heatproof.core.objects import HeldObject, held, holding
    >>> with holding({"3f": HeldObject([1, 2], "list")}):
    ...     held("3f")
    [1, 2]
    >>> held("3f")
    """
    before = dict(_held)
    _held.update(objects)
    try:
        yield
    finally:
        _held.clear()
        _held.update(before)


def held(key: str) -> Any:
    """The object of that key; None if this process holds none."""
    unpack()
    return _held[key].value if key in _held else None


def built(family: type[Settings], settings: Mapping[str, Any]) -> Any:
    """The member of a family with these settings: an object that is held, such as a method of the user's own, or else one of the
    registry.
    """
    found = held(content_hash(settings)) if _held or _received else None
    return found if isinstance(found, family) else family.from_dict(settings)


def code_of(settings: Mapping[str, Any]) -> str:
    """The content hash of the source code of the object with these settings; empty for one of a registry."""
    return _held[key].code if _held and (key := content_hash(settings)) in _held else ""


def packed(executor: str = "local") -> bytes:
    """All objects that are held, pickled for processes that start anew; empty if there are none.

    Args:
        executor: the executor that starts them, for messages.

    Raises:
        UsageError: One of them cannot be pickled. The message names it, the reason and the remedy.
    """
    for entry in _held.values():
        _dumped(entry, entry.label, executor)
    return _dumped(dict(_held), "the objects of this run", executor) if _held else b""


def receive(content: bytes) -> None:
    """Take what `packed` made in another process. It is unpickled by `unpack`, or when the first object is requested."""
    _received[:] = [content] if content else []


def unpack() -> None:
    """Unpickle what was received. What fails is received still, so that every later request of an object fails alike."""
    if _received:
        values: dict[str, HeldObject] = pickle.loads(_received[0])
        _held.update(values)
        _received.clear()


def _dumped(value: object, label: str, executor: str) -> bytes:
    buffer = io.BytesIO()
    try:
        _SpawnPickler(buffer, pickle.HIGHEST_PROTOCOL).dump(value)
    except Exception as error:  # pickling runs code of the object, which may raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(
            f'executor="{executor}": expected objects that can be sent to other processes, but {label} cannot be pickled '
            f"({reason}); {REMEDY}"
        ) from error
    return buffer.getvalue()


class _SpawnPickler(pickle.Pickler):
    """Refuses what a process that starts anew would not find: classes and functions of a main module without a file."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, type | FunctionType) and value.__module__ == "__main__" and not _main_can_be_imported():
            raise pickle.PicklingError(
                f"{value.__qualname__} is defined in an interactive session, which no other process can import"
            )
        return NotImplemented


def _main_can_be_imported() -> bool:
    main = sys.modules["__main__"]
    return getattr(main, "__spec__", None) is not None or Path(getattr(main, "__file__", None) or "").is_file()
