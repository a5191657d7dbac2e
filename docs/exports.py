"""The exports of methods and metrics, written from the tree: one import for each file that holds a class of its name."""

import ast
import importlib
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from heatproof.core.settings import snake_case

SOURCE = Path(__file__).parents[1] / "src" / "heatproof"
ROOMS = ("methods", "metrics")
WIDTH = 132


def package_texts() -> dict[Path, str]:
    """Every `__init__.py` of a family, and of the rooms they are in, with the text it should have."""
    texts: dict[Path, str] = {}
    for room in ROOMS:
        modules = _kept(SOURCE / room / "__init__.py", room)
        for family in sorted({path.parent for path in (SOURCE / room).glob("*/*.py")}):
            package = f"heatproof.{room}.{family.name}"
            concepts = {f"{package}.{path.stem}": [name] for path in sorted(family.glob("*.py")) for name in _concept(path)}
            texts[family / "__init__.py"] = _text(family / "__init__.py", concepts)
            modules[package] = [name for names in concepts.values() for name in names]
        texts[SOURCE / room / "__init__.py"] = _text(SOURCE / room / "__init__.py", modules)
    return texts


def write_packages() -> list[Path]:
    """Write those that are stale, and import the rooms anew, so that what is made from their exports is fresh."""
    stale = {path: text for path, text in package_texts().items() if not path.exists() or path.read_text("utf-8") != text}
    for path, text in stale.items():
        path.write_text(text, encoding="utf-8")
    for path in sorted(stale, key=lambda path: -len(path.parts)):
        name = ".".join(("heatproof", *path.parent.relative_to(SOURCE).parts))
        if name in sys.modules:
            importlib.reload(sys.modules[name])
    return list(stale)


def _concept(path: Path) -> list[str]:
    """The class that a file is named after, if it holds one."""
    nodes = ast.parse(path.read_text(encoding="utf-8")).body
    return [node.name for node in nodes if isinstance(node, ast.ClassDef) and snake_case(node.name) == path.stem]


def _kept(path: Path, room: str) -> dict[str, list[str]]:
    """What a room exports of its own modules, such as the base of a family; that is written by hand."""
    nodes = ast.parse(path.read_text(encoding="utf-8")).body
    return {
        node.module: [alias.name for alias in node.names]
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module and (SOURCE / room / f"{node.module.split('.')[-1]}.py").is_file()
    }


def _text(path: Path, modules: Mapping[str, Iterable[str]]) -> str:
    head = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")), clean=False) if path.exists() else None
    if not head:
        raise SystemExit(
            f"{path.relative_to(SOURCE)}: expected a docstring that says what the family is, found none; write that line"
        )
    names = sorted(name for exported in modules.values() for name in exported)
    imports = [_list(f"from {module} import ", sorted(modules[module]), "()", "") for module in sorted(modules)]
    return (
        f'"""{head}"""\n\n' + "\n".join(imports) + "\n\n" + _list("__all__ = ", [f'"{name}"' for name in names], "[]", "[]") + "\n"
    )


def _list(head: str, items: list[str], wide: str, narrow: str) -> str:
    """On one line if it fits, between the narrow brackets; else one item a line, between the wide ones."""
    line = head + (narrow[:1] + ", ".join(items) + narrow[1:])
    return line if len(line) <= WIDTH else "\n".join([head + wide[0], *(f"    {item}," for item in items), wide[1]])
