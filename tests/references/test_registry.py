"""Every exported method, metric and attack has a slow twin, in a test that exists and that runs it."""

import ast
from collections.abc import Mapping
from pathlib import Path

import pytest

from heatproof.attacks import Attack
from heatproof.core.settings import Settings, exports
from heatproof.methods import Method
from heatproof.metrics import Metric
from tests.references import registry

HERE = Path(__file__).parent
TABLES: list[tuple[type[Settings], str, Mapping[str, str]]] = [
    (Method, "METHODS", registry.METHODS),
    (Metric, "METRICS", registry.METRICS),
    (Attack, "ATTACKS", registry.ATTACKS),
]


def fault(cls: type[Settings], table: str, rows: Mapping[str, str]) -> str:
    """What is wrong with the twin of a class, and what to do; empty if nothing is."""
    where = f"{table} of tests/references/registry.py"
    row = rows.get(cls.name)
    if row is None:
        return (
            f"{cls.name} has no slow twin: write one in tests/references/, in float64 from the paper's formula, with a test that "
            f"compares the two, and name it in {where}: {cls.name!r}: 'test_<file>.py::test_<name>'"
        )
    file, _, test = row.partition("::")
    path = HERE / file
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    functions = {node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)}
    if not test.startswith("test_") or test not in functions:
        return f"{where} names {row} as the twin of {cls.name}, and there is no such test; name one that compares the two"
    names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    names |= {alias.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom) for alias in node.names}
    if cls.__name__ not in names and cls.name not in text:
        return f"{where} names {row} as the twin of {cls.name}, and that file never uses {cls.__name__}; name the test that does"
    return ""


@pytest.mark.parametrize(
    ("cls", "table", "rows"),
    [pytest.param(cls, table, rows, id=name) for base, table, rows in TABLES for name, cls in exports(base).items()],
)
def test_every_exported_class_has_a_twin(cls: type[Settings], table: str, rows: Mapping[str, str]) -> None:
    assert not (message := fault(cls, table, rows)), message


@pytest.mark.parametrize(("base", "table", "rows"), TABLES, ids=[table for _, table, _ in TABLES])
def test_no_row_is_left_of_what_is_gone(base: type[Settings], table: str, rows: Mapping[str, str]) -> None:
    gone = sorted(set(rows) - set(exports(base)))
    assert gone == [], f"{table} of tests/references/registry.py has rows of what is not exported; remove them"


class Untested(Method):
    """A method that nobody wrote a twin for."""


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({}, r"untested has no slow twin: write one in tests/references/"),
        ({"untested": "test_nowhere.py::test_it"}, "there is no such test"),
        ({"untested": "test_twins.py::test_that_is_not_there"}, "there is no such test"),
        ({"untested": "test_twins.py"}, "there is no such test"),
        ({"untested": "test_twins.py::test_gradient"}, "that file never uses Untested"),
    ],
)
def test_a_missing_or_empty_twin_is_told_with_what_to_do(rows: Mapping[str, str], message: str) -> None:
    assert message in fault(Untested, "METHODS", rows)
