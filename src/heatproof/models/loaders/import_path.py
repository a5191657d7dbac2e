"""Import paths, `module:attribute`: what one names is imported, and what the user's own code raises is shown in one line.

The working directory is importable meanwhile, before all else, as it is for `python -m`: also in the processes of a run, which
start in the same directory. Afterwards `sys.path` is as before.
"""

import importlib
import os
import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from heatproof.core.errors import HeatproofError, ModelError, near_names
from heatproof.models.loaders.source_files import is_installed

_NAME = r"[^\W\d]\w*(\.[^\W\d]\w*)*"
_LONGEST = 300
"""The number of characters of a user's error that a message shows."""


def is_import_path(text: str) -> bool:
    """Whether a text is of the form `module:attribute`.

    >>> from heatproof.models.loaders.import_path import is_import_path
    >>> [is_import_path(text) for text in ("my_package.nets:build", "nets.build", "nets/build.py:Net")]
    [True, False, False]
    """
    return re.fullmatch(f"{_NAME}:{_NAME}", text) is not None


@contextmanager
def working_directory_importable() -> Iterator[None]:
    """Inside, modules of the working directory can be imported; `sys.path` then loses only what was added to it."""
    directory = os.getcwd()
    added = directory not in sys.path and "" not in sys.path
    if added:
        sys.path.insert(0, directory)
    importlib.invalidate_caches()  # a file that was written a moment ago is found
    try:
        yield
    finally:
        if added and directory in sys.path:
            sys.path.remove(directory)


def imported_object(path: str, others: Sequence[str] = ()) -> Any:
    """What an import path names.

    Args:
        path: the import path.
        others: words that may have been meant where there is no such module.

    Raises:
        ModelError: There is no such module or attribute, or the import of the module fails.
    """
    name, _, attribute = path.partition(":")
    with _absence_explained(path, name, others), own_errors(f"{path}: the import of {name}"):
        found: Any = importlib.import_module(name)
    for part in attribute.split("."):
        if not hasattr(found, part):
            known = [key for key in vars(found) if not key.startswith("_")] if hasattr(found, "__dict__") else []
            where = str(getattr(found, "__file__", None) or getattr(found, "__name__", name))
            hint = near_names(part, known) or "write module:callable, as in Python's import"
            raise ModelError(f"{path}: expected {part} in {_short(where)}, found no such name. {hint}")
        found = getattr(found, part)
    return found


@contextmanager
def own_errors(what: str) -> Iterator[None]:
    """Errors of the user's code inside become a `ModelError` of one line, which says what failed, how and where."""
    try:
        yield
    except HeatproofError:
        raise
    except (Exception, SystemExit) as error:
        text = " ".join(str(error).split())
        shown = text if len(text) <= _LONGEST else text[:_LONGEST] + " …"
        raise ModelError(f"{what} failed{_place(error)}: {type(error).__name__}: {shown}") from error


@contextmanager
def _absence_explained(path: str, module: str, others: Sequence[str]) -> Iterator[None]:
    """The error that the module itself, or a package above it, does not exist says what to do; others are left as they are."""
    try:
        yield
    except ModelError as error:
        cause = error.__cause__
        absent = cause.name if isinstance(cause, ModuleNotFoundError) else None
        if not absent or not f"{module}.".startswith(f"{absent}."):
            raise
        if absent.endswith(".py"):
            name = absent.removesuffix(".py")
            raise ModelError(f"{path}: expected the name of a module, got that of a file; write {name}") from cause
        hint = near_names(absent, others) or "Start in the folder that contains it, or install it."
        raise ModelError(
            f"{path}: expected a module {absent} in {Path.cwd()} or among the installed packages, found none. {hint}"
        ) from cause


def _place(error: BaseException) -> str:
    """The last line of the user's own files that an error passed through; empty if it passed through none."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" at {_short(error.filename)}:{error.lineno}"
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if not is_installed(frame.filename)]
    return f" at {_short(own[-1].filename)}:{own[-1].lineno}" if own else ""


def _short(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file
