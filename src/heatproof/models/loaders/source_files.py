"""The content of the source files that a module of the user's consists of, so that a changed line is computed anew.

They are the module's own file and, where it is no installed package, the files of the user's that it imports, directly or
through others. Imports are read from the text, so that the answer does not depend on what a process has loaded already.
"""

import ast
import hashlib
import importlib.util
import sys
import sysconfig
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path

_INSTALLED = tuple(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib"))
_PACKAGES = frozenset({"site-packages", "dist-packages"})
"""The names of folders of installed packages, of this environment and of others on the path of imports."""
_HEATPROOF = Path(__file__).resolve().parents[2]


def source_digest(module: str) -> str:
    """The content hash of the source files of a module that can be imported; it does not depend on where they lie.

    >>> from heatproof.models.loaders.source_files import source_digest
    >>> source_digest("colorsys") == source_digest("colorsys") != source_digest("string")
    True
    """
    pending, files = [module], dict[str, bytes]()
    while pending:
        name = pending.pop()
        spec = None if name in files else _spec(name)
        if spec is None or not spec.has_location or spec.origin is None or not (name == module or _is_own(spec)):
            continue
        files[name] = Path(spec.origin).read_bytes()
        if _is_own(spec) and spec.origin.endswith(".py"):
            pending += [part for imported in _imports(files[name], spec) for part in _with_parents(imported)]
            pending += _with_parents(name)
    state = hashlib.sha256()
    for name, content in sorted(files.items()):
        state.update(f"{name} {len(content)} ".encode() + content)
    return state.hexdigest()[:32]


def is_installed(file: str) -> bool:
    """Whether a file belongs to Python, to an installed package or to heatproof, and is none of the user's own."""
    path = Path(file).resolve()
    if file.startswith("<") or not _PACKAGES.isdisjoint(path.parts):
        return True
    return any(path.is_relative_to(folder) for folder in (*_INSTALLED, _HEATPROOF))


def _spec(name: str) -> ModuleSpec | None:
    """Where a module lies; None if there is none. Only packages of the user's are imported in search of it."""
    try:
        top = importlib.util.find_spec(name.partition(".")[0])
        if top is None or not (name in sys.modules or name == top.name or _is_own(top)):
            return None
        return importlib.util.find_spec(name)
    except Exception:  # whatever an import in the user's package raises that the network did not need
        return None


def _is_own(spec: ModuleSpec) -> bool:
    places = [spec.origin] if spec.has_location and spec.origin else list(spec.submodule_search_locations or [])
    return bool(places) and not any(is_installed(place) for place in places)


def _imports(source: bytes, spec: ModuleSpec) -> Iterator[str]:
    """The full names of all that a file imports, modules and what may be one."""
    package = spec.name if spec.submodule_search_locations is not None else spec.name.rpartition(".")[0]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = importlib.util.resolve_name("." * node.level + base, package)
            yield base
            found = _spec(base)
            if found is not None and found.submodule_search_locations is not None:
                yield from (f"{base}.{alias.name}" for alias in node.names)


def _with_parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts) + 1)]
