"""The source files of the package, each parsed once for all tests that read them."""

import ast
import inspect
from functools import cache
from pathlib import Path

import heatproof

SOURCE = Path(inspect.getfile(heatproof)).parent
FILES = sorted(SOURCE.rglob("*.py"))


@cache
def parsed(path: Path) -> ast.Module:
    """The syntax tree of a file; tests that read many are one group, `source`, so that one process parses them."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """All nodes of a file."""
    return tuple(ast.walk(parsed(path)))
